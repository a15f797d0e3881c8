#include "base/clock.h"

#include <gtest/gtest.h>

#include <vector>

namespace kite {
namespace {

TEST(ManualClock, TimersRunInOrderOfTheirDeadlinesAtTheirDeadlines) {
  ManualClock clock;
  std::vector<Nanos> seen;
  Timer late(clock, [&] { seen.push_back(clock.now()); });
  Timer early(clock, [&] { seen.push_back(clock.now()); });
  late.arm(20);
  early.arm(10);
  clock.advance(30);
  EXPECT_EQ(seen, (std::vector<Nanos>{10, 20}));
  EXPECT_EQ(clock.now(), 30);
}

TEST(ManualClock, ATimerArmedAgainByItsCallbackRunsAgain) {
  ManualClock clock;
  int runs = 0;
  Timer* self = nullptr;
  Timer timer(clock, [&] {
    if (++runs < 3) self->arm(clock.now() + 5);
  });
  self = &timer;
  timer.arm(5);
  clock.advance(100);
  EXPECT_EQ(runs, 3);
}

TEST(ManualClock, ADisarmedTimerDoesNotRun) {
  ManualClock clock;
  int runs = 0;
  Timer timer(clock, [&] { ++runs; });
  timer.arm(5);
  timer.disarm();
  clock.advance(100);
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(clock.next_deadline(), kNever);
}

TEST(Clock, TellsWhenTheEarliestDeadlineMovesNearer) {
  ManualClock clock;
  int told = 0;
  clock.on_rearm([&] { ++told; });
  Timer one(clock, [] {}), two(clock, [] {});
  one.arm(10);
  two.arm(20);
  two.arm(5);
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace kite
