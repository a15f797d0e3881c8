// Boot of Debian's cloud kernel with a 1 MB initramfs to power-off, against QEMU in alternation.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/bench/measurements.h"
#include "tests/bench/translator.h"
#include "tests/boot/initramfs.h"
#include "tests/boot/linux_guest.h"
#include "tests/paths.h"

namespace kite::bench {
namespace {

constexpr int kLimit = 300;
const std::string kAppend = "console=ttyS0 panic=-1 quiet -- poweroff";

// The boot tests' /init with a megabyte behind it.
std::string make_initramfs() {
  std::ifstream file(paths::kBootInit, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  std::string program = bytes.str();
  program.resize(program.size() + (1 << 20), 'x');
  const std::string path =
      std::filesystem::temp_directory_path() / fmt::format("kite-bench-{}", getpid());
  std::ofstream(path, std::ios::binary) << test::initramfs_with_init(program);
  return path;
}

// Seconds, or nothing if the guest did not get there.
void add_run(const char* name, const std::vector<std::string>& words, std::vector<double>& times) {
  const test::ProgramRun run = test::run_program(words, kLimit);
  const bool there = run.status == 0 && run.out.find("user space is there") != run.out.npos;
  if (there) times.push_back(run.seconds);
  fmt::print("boot: {:5} {:7.2f} s{}\n", name, run.seconds, there ? "" : " FAILED");
  if (!there) fmt::print("{}\n", run.err);
  std::fflush(stdout);
}

std::string row(const std::string& name, const std::vector<double>& times) {
  std::string all;
  for (double time : times) all += fmt::format(" {:.2f}", time);
  return fmt::format("| {} | {:.2f} |{} |\n", name, median(times), all);
}

std::string report(const std::vector<double>& ours, const std::vector<double>& theirs,
                   const std::optional<Translator>& translator) {
  std::string text =
      "From exec to the end of the program, after power-off; 512 MB, a 1 MB initramfs, in "
      "turns.\n\n| | median, s | runs, s |\n|---|---|---|\n";
  text += row(translator ? "Kite, translator" : "Kite, interpreter", ours);
  if (!theirs.empty()) text += row("QEMU, TCG, q35", theirs);
  if (!ours.empty() && !theirs.empty())
    text += fmt::format("\nKite takes {:.2f} times QEMU's time (wanted: at most {}).\n",
                        median(ours) / median(theirs), translator ? 0.5 : 6);
  return text + "\n" + describe(translator);
}

}  // namespace

std::string measure_boot(const Options& options) {
  const std::string kernel = test::find_kernel(test::Kernel::kCloud);
  std::string text = "### Boot of Debian's cloud kernel\n\n";
  if (kernel.empty()) return text + "Not measured: " + test::how_to_get_kernels() + "\n\n";
  const std::string initramfs = make_initramfs(), result = initramfs + ".json";
  std::vector<double> ours, theirs;
  for (int round = 0; round < options.rounds; ++round) {
    add_run("kite",
            {paths::kProgram, "run", "--accel", "tcg", "--memory", "512M", "--timeout",
             std::to_string(kLimit), "--result", result, "--initrd", initramfs, "--append", kAppend,
             kernel},
            ours);
    if (!have_qemu()) continue;
    add_run("qemu", qemu({"-kernel", kernel, "-initrd", initramfs, "-append", kAppend}), theirs);
  }
  const std::optional<Translator> translator = translator_of(result);
  std::filesystem::remove(initramfs);
  std::filesystem::remove(result);
  return text + report(ours, theirs, translator);
}

}  // namespace kite::bench
