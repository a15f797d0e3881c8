// From exec to the first guest instruction.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "tests/bench/measurements.h"
#include "tests/boot/program_run.h"
#include "tests/paths.h"

namespace kite::bench {
namespace {

constexpr int kRuns = 20;

// To the letter that the guest's first instructions write, as it comes out of Kite.
std::vector<double> milliseconds(const std::vector<std::string>& words) {
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    const test::ProgramRun run = test::run_program(words, 20);
    if (run.status == 1) times.push_back(run.first_output_seconds * 1000);
    if (run.status != 1) fmt::print("start: FAILED, status {}: {}\n", run.status, run.err);
  }
  return times;
}

}  // namespace

std::string measure_start(const Options&) {
  const std::string image = std::string(paths::kBenchGuests) + "/first_instruction.elf";
  std::string text = fmt::format(
      "### Start-up\n\nFrom exec to the letter that a guest's first instructions write, on Kite's "
      "stdout; milliseconds, the best of {} runs and their median, sandbox included.\n\n| | 128 MB "
      "| 512 MB | 4 GB "
      "|\n|---|---|---|---|\n",
      kRuns);
  for (const std::string& accelerator : accelerators()) {
    text += fmt::format("| Kite, {} |", accelerator);
    for (const char* memory : {"128M", "512M", "4G"}) {
      std::vector<double> times = milliseconds({paths::kProgram, "run", "--accel", accelerator,
                                                "--memory", memory, "--timeout", "10", image});
      const double best = times.empty() ? 0 : *std::min_element(times.begin(), times.end());
      text += fmt::format(" {:.1f} ({:.1f}) |", best, median(times));
      fmt::print("start: {} {} {:.1f} ms, at best {:.1f}\n", accelerator, memory, median(times),
                 best);
      std::fflush(stdout);
    }
    text += "\n";
  }
  return text + "\nWanted: at most 30 ms.\n\n";
}

}  // namespace kite::bench
