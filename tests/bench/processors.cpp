// What a second virtual processor brings: one compute-bound loop on one, and on two at once.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/bench/measurements.h"
#include "tests/bench/translator.h"
#include "tests/boot/program_run.h"
#include "tests/paths.h"

namespace kite::bench {
namespace {

constexpr unsigned kCounts[] = {1, 2};

struct Run {
  double millions = 0;  // of instructions a second, of all processors together; 0: it failed
  bool translated = false;
};

Run run_with(unsigned cpus) {
  const std::string result = std::filesystem::temp_directory_path() /
                             ("kite-bench-processors-" + std::to_string(getpid()) + ".json");
  const test::ProgramRun run =
      test::run_program({paths::kProgram, "run", "--accel", "tcg", "--cpus", std::to_string(cpus),
                         "--memory", "64M", "--timeout", "100", "--result", result,
                         std::string(paths::kBenchGuests) + "/processors.elf"},
                        120);
  const std::optional<Translator> translator = translator_of(result);
  std::filesystem::remove(result);
  const auto bar = run.out.find("integer|");
  if (bar == run.out.npos || run.out.find("end") == run.out.npos) {
    fmt::print("processors: {} processors: FAILED\n{}\n", cpus, run.err);
    return {};
  }
  const double millions = std::atof(run.out.c_str() + bar + 8) / 100;
  const double blocks = translator ? translator->blocks : 0;
  fmt::print("processors: {} x tcg {:10.2f} million instructions, {:.0f} blocks translated\n", cpus,
             millions, blocks);
  std::fflush(stdout);
  return {millions, blocks > 0};
}

}  // namespace

std::string measure_processors(const Options& options) {
  std::vector<double> millions[std::size(kCounts)];
  bool translated = true;
  for (int round = 0; round < options.rounds; ++round)
    for (std::size_t i = 0; i < std::size(kCounts); ++i) {
      const Run run = run_with(kCounts[i]);
      millions[i].push_back(run.millions);
      translated &= run.translated;
    }
  // The factor is the median of the rounds' own: a host's clock changes between rounds.
  std::vector<double> factors;
  for (std::size_t i = 0; i < millions[0].size(); ++i)
    factors.push_back(millions[0][i] > 0 ? millions[1][i] / millions[0][i] : 0);
  const double one = median(millions[0]), two = median(millions[1]);
  return fmt::format(
      "### Two processors\n\nMillions of instructions a second of all processors together, {}; "
      "medians of {} runs in turns. Wanted: at least 1.8 times on two idle processors of the "
      "host.\n\n| one processor | two | factor |\n|---|---|---|\n| {:.2f} | {:.2f} | {:.2f} |\n\n",
      translated ? "translated" : "in the interpreter", options.rounds, one, two, median(factors));
}

}  // namespace kite::bench
