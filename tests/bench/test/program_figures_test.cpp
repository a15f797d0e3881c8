// What is made of the programs' output: ratios, goals, and what is no figure.
#include "tests/bench/program_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bench/measurements.h"

namespace kite::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

// What the static program prints in a run of `seconds` by its own clock and `host` by the host's.
test::ProgramRun said(const std::string& programs, double seconds = 2, double host = 2,
                      const std::string& clock = "tsc") {
  test::ProgramRun run;
  run.status = 0;
  run.out = "begin\r\n";
  run.arrivals.push_back({run.out.size(), 5});
  run.out += programs + "end|" + clock + "|" + std::to_string(seconds) + "\r\n";
  run.arrivals.push_back({run.out.size(), 5 + host});
  return run;
}

std::string line(const std::string& group, const std::string& name, double nanoseconds,
                 const std::string& digest = "00000000000000aa") {
  return "program|" + group + "|" + name + "|" + std::to_string(nanoseconds) + "|run|" + digest +
         "\r\n";
}

ProgramFigures figures_of(const test::ProgramRun& native, const test::ProgramRun& kite) {
  ProgramFigures figures({{"native", {}}, {"Kite", {}}});
  figures.add(0, native);
  figures.add(1, kite);
  return figures;
}

TEST(ProgramFigures, TheRatioIsToldAndAMissedGoalMarked) {
  const std::string table = figures_of(said(line("fill", "memset", 10) + line("x87", "tan", 10)),
                                       said(line("fill", "memset", 20) + line("x87", "tan", 90)))
                                .table();
  EXPECT_THAT(table, HasSubstr("| memset | run | 10 ns | 20 ns | 2.00 | 1.3, **missed** |"));
  EXPECT_THAT(table, HasSubstr("| tan | run | 10 ns | 90 ns | 9.00 | |"));
}

TEST(ProgramFigures, AGoalThatIsMetIsNotMarked) {
  const std::string table =
      figures_of(said(line("fill", "memset", 10)), said(line("fill", "memset", 12))).table();
  EXPECT_THAT(table, HasSubstr("| 1.20 | 1.3 |"));
}

TEST(ProgramFigures, IntegerProgramsAreJudgedByTheirGeometricMean) {
  const std::string table = figures_of(said(line("integer", "a", 10) + line("integer", "b", 10)),
                                       said(line("integer", "a", 20) + line("integer", "b", 80)))
                                .table();
  EXPECT_THAT(table, HasSubstr("| integer: geometric mean | | | | 4.00 | 2.2, **missed** |"));
}

TEST(ProgramFigures, TheMedianIsOfTheRatiosWithinARound) {
  ProgramFigures figures({{"native", {}}, {"Kite", {}}});
  for (const auto& [native, kite] : {std::pair{10., 20.}, {100., 300.}, {20., 80.}}) {
    figures.add(0, said(line("x87", "tan", native)));
    figures.add(1, said(line("x87", "tan", kite)));
  }
  EXPECT_THAT(figures.table(), HasSubstr("| tan | run | 20 ns | 80 ns | 3.00 | |"));
}

TEST(ProgramFigures, AWrongAnswerIsAFailureAndNoFigure) {
  const ProgramFigures figures = figures_of(said(line("fill", "memset", 10)),
                                            said(line("fill", "memset", 10, "00000000000000ab")));
  EXPECT_TRUE(any_failure());
  EXPECT_THAT(figures.table(), HasSubstr("| memset | run | 10 ns | – | – | 1.3 |"));
}

TEST(ProgramFigures, AnAnswerThatVariesIsNoFigure) {
  const std::string varies = line("fill", "memset", 10, "0000000000000000");
  EXPECT_THAT(figures_of(said(varies), said(varies)).table(), Not(HasSubstr("memset")));
}

TEST(ProgramFigures, AGuestWhoseClockIsNotTheHostsHasNoFigures) {
  const std::string program = line("fill", "memset", 10);
  const ProgramFigures slow = figures_of(said(program), said(program, 2, 3));
  EXPECT_THAT(slow.table(), HasSubstr("| 10 ns | – | – |"));
  const ProgramFigures ticks = figures_of(said(program), said(program, 2, 2, "jiffies"));
  EXPECT_THAT(ticks.table(), HasSubstr("| 10 ns | – | – |"));
}

TEST(ProgramFigures, ARunThatDidNotEndHasNoFigures) {
  test::ProgramRun run = said(line("fill", "memset", 10));
  run.status = 102;
  EXPECT_THAT(figures_of(said(line("fill", "memset", 10)), run).table(),
              HasSubstr("| 10 ns | – | – |"));
}

TEST(ProgramFigures, ThePictureHasABarForEachRatio) {
  const std::string picture =
      figures_of(said(line("fill", "memset", 10)), said(line("fill", "memset", 125))).plot();
  EXPECT_THAT(picture, HasSubstr(">memset</text>"));
  EXPECT_THAT(picture, HasSubstr(">12.5</text>"));
}

}  // namespace
}  // namespace kite::bench
