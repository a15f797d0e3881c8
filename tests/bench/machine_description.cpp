// What is measured on, and what the measurements share.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "tests/bench/measurements.h"
#include "tests/boot/program_run.h"

namespace kite::bench {
namespace {

bool failed = false;

std::string value_of(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (line.rfind(name, 0) != 0 || colon == line.npos) continue;
    return line.substr(line.find_first_not_of(" \t", colon + 1));
  }
  return "unknown";
}

std::string first_line(const std::vector<std::string>& words) {
  const test::ProgramRun run = test::run_program(words, 10);
  return run.status == 0 ? run.out.substr(0, run.out.find('\n')) : "none";
}

}  // namespace

std::string describe_processor() {
  return value_of("/proc/cpuinfo", "model name");
}

std::string describe_machine() {
  utsname host = {};
  uname(&host);
  std::string text;
  text += fmt::format("* processor: {}, {} in use\n", describe_processor(),
                      sysconf(_SC_NPROCESSORS_ONLN));
  text += fmt::format("* memory: {}\n", value_of("/proc/meminfo", "MemTotal"));
  text += fmt::format("* host: {} {} {}\n", host.sysname, host.release, host.machine);
  text += fmt::format("* Kite: {} build by {}\n", KITE_BUILD_TYPE, KITE_COMPILER);
  text += fmt::format("* QEMU: {}\n", first_line({"qemu-system-x86_64", "--version"}));
  return text;
}

void report_failure(const std::string& what) {
  failed = true;
  fmt::print("FAILED: {}\n", what);
  std::fflush(stdout);
}

bool any_failure() {
  return failed;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

bool have_qemu() {
  static const bool have = test::run_program({"qemu-system-x86_64", "--version"}, 10).status == 0;
  return have;
}

std::vector<std::string> qemu(const std::vector<std::string>& more, const std::string& accelerator,
                              const std::string& board) {
  std::vector<std::string> words = {"qemu-system-x86_64",
                                    "-accel",
                                    accelerator,
                                    "-M",
                                    board,
                                    "-m",
                                    "512",
                                    "-display",
                                    "none",
                                    "-monitor",
                                    "none",
                                    "-serial",
                                    "stdio",
                                    "-no-reboot",
                                    "-nodefaults",
                                    "-device",
                                    "isa-debug-exit,iobase=0xf4,iosize=4"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<std::string> accelerators() {
  std::vector<std::string> names = {"tcg"};
  if (access("/dev/kvm", R_OK | W_OK) == 0) names.push_back("kvm");
  return names;
}

}  // namespace kite::bench
