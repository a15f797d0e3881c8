// What Kite itself takes while a guest idles: resident memory beyond the guest's RAM, and system
// calls.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/bench/measurements.h"
#include "tests/boot/linux_guest.h"
#include "tests/boot/program_run.h"
#include "tests/paths.h"

namespace kite::bench {
namespace {

constexpr unsigned long kRamKilobytes = 512 * 1024;
constexpr int kSecondsOfCalls = 10;

struct Resident {
  unsigned long ram = 0, rest = 0, rest_proportional = 0;  // kB
};

// RAM is the mapping of its size or larger; everything else is Kite's own (proc(5), smaps).
Resident read_resident(pid_t process) {
  Resident sum;
  bool in_ram = false;
  std::ifstream file(fmt::format("/proc/{}/smaps", process));
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    unsigned long value = 0;
    words >> name >> value;
    if (name == "Size:") in_ram = value >= kRamKilobytes / 2;
    if (name == "Rss:") (in_ram ? sum.ram : sum.rest) += value;
    if (name == "Pss:" && !in_ram) sum.rest_proportional += value;
  }
  return sum;
}

// Of all threads, counted by strace; "–" where that is not installed.
std::string calls_per_second(pid_t process) {
  const test::ProgramRun run =
      test::run_program({"timeout", "-s", "INT", std::to_string(kSecondsOfCalls), "strace", "-f",
                         "-c", "-p", std::to_string(process)},
                        kSecondsOfCalls + 20);
  std::istringstream lines(run.err);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" total") == line.npos) continue;
    std::istringstream words(line);
    std::string percent, seconds, each;
    double calls = 0;
    words >> percent >> seconds >> each >> calls;
    return fmt::format("{:.1f}", calls / kSecondsOfCalls);
  }
  return run.err.find("detached") != run.err.npos ? "0.0" : "–";
}

class Idle {
 public:
  Idle(const std::string& console, std::vector<std::string> words) : console_(console) {
    words.insert(words.begin(), {paths::kProgram, "run", "--memory", "512M", "--timeout", "200",
                                 "--serial", "file:" + console});
    process_ = fork();
    if (process_ != 0) return;
    const int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDIN_FILENO), dup2(nowhere, STDOUT_FILENO), dup2(nowhere, STDERR_FILENO);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execv(paths::kProgram, arguments.data());
    _exit(127);
  }
  ~Idle() {
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
    std::filesystem::remove(console_);
  }

  bool wait_for(const std::string& marker) const {
    for (int tenth = 0; tenth < 1200 && waitpid(process_, nullptr, WNOHANG) == 0; ++tenth) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      std::ifstream file(console_);
      std::stringstream text;
      text << file.rdbuf();
      if (text.str().find(marker) != std::string::npos) return true;
    }
    return false;
  }
  // A row of the table.
  std::string measure(const std::string& name) const {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const Resident kilobytes = read_resident(process_);
    const auto megabytes = [](unsigned long count) { return static_cast<double>(count) / 1024; };
    return fmt::format("| {} | {:.1f} | {:.1f} | {:.1f} | {} |\n", name, megabytes(kilobytes.rest),
                       megabytes(kilobytes.rest_proportional), megabytes(kilobytes.ram),
                       calls_per_second(process_));
  }

 private:
  const std::string console_;
  pid_t process_ = -1;
};

std::string row(const std::string& name, const std::string& marker, const std::string& console,
                const std::vector<std::string>& words) {
  const Idle guest(console, words);
  const std::string line = guest.wait_for(marker) ? guest.measure(name)
                                                  : fmt::format("| {} | not there | | | |\n", name);
  fmt::print("memory: {}", line);
  std::fflush(stdout);
  return line;
}

}  // namespace

std::string measure_memory(const Options&) {
  std::string text =
      "### An idle guest\n\nMB of Kite's own (and its proportional share), MB of guest RAM in use, "
      "and "
      "system calls a second of all threads while the guest waits. The waiting program executes "
      "HLT "
      "and has no timer, so its system calls would be Kite's own; Linux has a few timers.\n\n"
      "| 512 MB, microvm | own | proportional | RAM | system calls |\n|---|---|---|---|---|\n";
  const std::string initramfs = test::boot_initramfs();
  const std::string console = initramfs + ".console";
  for (const std::string& accelerator : accelerators())
    text += row("waiting program, " + accelerator, "x", console,
                {"--accel", accelerator, std::string(paths::kBenchGuests) + "/idle.elf"});
  const std::string kernel = test::find_kernel(test::Kernel::kCloud);
  if (!kernel.empty())
    text += row("Debian's cloud kernel in user space, tcg", "user space is there", console,
                {"--accel", "tcg", "--initrd", initramfs, "--append",
                 "console=ttyS0 quiet -- sleep", kernel});
  std::filesystem::remove(initramfs);
  return text +
         "\nWanted: at most 20 MB in the interpreter, 10 MB under KVM, and 10 system calls a "
         "second.\n\n";
}

}  // namespace kite::bench
