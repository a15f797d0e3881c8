// What a second virtual processor brings: one compute-bound loop on one, and on two at once.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "tests/bench/measurements.h"
#include "tests/boot/program_run.h"
#include "tests/paths.h"

namespace kite::bench {
namespace {

constexpr unsigned kCounts[] = {1, 2};

// Millions of instructions a second, of all processors together; 0 if the run failed.
double run_with(unsigned cpus) {
  const test::ProgramRun run = test::run_program(
      {paths::kProgram, "run", "--accel", "tcg", "--cpus", std::to_string(cpus), "--memory", "64M",
       "--timeout", "100", std::string(paths::kBenchGuests) + "/processors.elf"},
      120);
  const auto bar = run.out.find("integer|");
  if (bar == run.out.npos || run.out.find("end") == run.out.npos) {
    fmt::print("processors: {} processors: FAILED\n{}\n", cpus, run.err);
    return 0;
  }
  const double millions = std::atof(run.out.c_str() + bar + 8) / 100;
  fmt::print("processors: {} x tcg {:10.2f} million instructions\n", cpus, millions);
  std::fflush(stdout);
  return millions;
}

}  // namespace

std::string measure_processors(const Options& options) {
  std::vector<double> millions[std::size(kCounts)];
  for (int round = 0; round < options.rounds; ++round)
    for (std::size_t i = 0; i < std::size(kCounts); ++i)
      millions[i].push_back(run_with(kCounts[i]));
  // The factor is the median of the rounds' own: a host's clock changes between rounds.
  std::vector<double> factors;
  for (std::size_t i = 0; i < millions[0].size(); ++i)
    factors.push_back(millions[0][i] > 0 ? millions[1][i] / millions[0][i] : 0);
  const double one = median(millions[0]), two = median(millions[1]);
  return fmt::format(
      "### Two processors\n\nMillions of instructions a second of all processors together, in the "
      "interpreter; medians of {} runs in turns.\n\n| one processor | two | factor "
      "|\n|---|---|---|\n"
      "| {:.2f} | {:.2f} | {:.2f} |\n\n",
      options.rounds, one, two, median(factors));
}

}  // namespace kite::bench
