#include "machine/vcpu_clock.h"

#include <gtest/gtest.h>

namespace kite {
namespace {

class VcpuClockTest : public testing::Test {
 protected:
  VcpuClockTest() {
    machine.on_rearm([this] { loop_wakes++; });
  }

  ManualClock machine;
  int loop_wakes = 0, kicks = 0, expiries = 0;
  VcpuClock clock{machine, [this] { kicks++; }};
  Timer timer{clock, [this] { expiries++; }};
};

TEST_F(VcpuClockTest, AGuestThatArmsATimerAndHaltsIsNotTheLoopsBusiness) {
  EXPECT_EQ(clock.enter(), kNever);
  timer.arm(kSecond);
  EXPECT_EQ(kicks, 1);  // run() was to come back never
  clock.leave(Exit::Kind::kKicked);
  EXPECT_LT(clock.enter(), kSecond);
  clock.leave(Exit::Kind::kHalted);
  EXPECT_EQ(clock.next_deadline(), kSecond);
  machine.advance(kSecond);
  EXPECT_EQ(expiries, 0);
  clock.run_due();
  EXPECT_EQ(expiries, 1);
  EXPECT_EQ(loop_wakes, 0);
  EXPECT_EQ(kicks, 1);
}

TEST_F(VcpuClockTest, OneThatRunsOnIsKickedByTheMachinesClockInTime) {
  timer.arm(kSecond);
  const Nanos look = clock.enter();
  machine.advance(look);
  clock.leave(Exit::Kind::kDeadline);
  EXPECT_EQ(clock.enter(), kNever);
  EXPECT_EQ(machine.next_deadline(), kSecond);
  machine.advance(kSecond - look);
  EXPECT_EQ(kicks, 1);
  clock.leave(Exit::Kind::kKicked);
  EXPECT_EQ(expiries, 1);
}

TEST_F(VcpuClockTest, ANearDeadlineIsThatOfTheRun) {
  timer.arm(VcpuClock::kPatience / 2);
  EXPECT_EQ(clock.enter(), VcpuClock::kPatience / 2);
  machine.advance(VcpuClock::kPatience / 2);
  clock.leave(Exit::Kind::kDeadline);
  EXPECT_EQ(expiries, 1);
  EXPECT_EQ(loop_wakes, 0);
  EXPECT_EQ(clock.enter(), kNever);
}

TEST_F(VcpuClockTest, ABusyGuestsTimersAreTheMachinesClocksFromTheStart) {
  timer.arm(kSecond);
  machine.advance(clock.enter());
  clock.leave(Exit::Kind::kDeadline);
  clock.enter();
  timer.arm(2 * kSecond);
  EXPECT_EQ(machine.next_deadline(), kSecond);
  timer.arm(kSecond / 2);
  EXPECT_EQ(machine.next_deadline(), kSecond / 2);
  EXPECT_EQ(kicks, 0);
  machine.advance(kSecond / 2);
  EXPECT_EQ(kicks, 1);
  clock.leave(Exit::Kind::kKicked);
  EXPECT_EQ(expiries, 1);
  timer.arm(3 * kSecond);
  EXPECT_EQ(clock.enter(), kNever);
  EXPECT_EQ(machine.next_deadline(), 3 * kSecond);
}

TEST_F(VcpuClockTest, AGuestThatHasHaltedIsNotBusyAnyMore) {
  timer.arm(kSecond);
  machine.advance(clock.enter());
  clock.leave(Exit::Kind::kDeadline);
  clock.enter();
  clock.leave(Exit::Kind::kHalted);
  clock.enter();
  timer.arm(kSecond / 2);
  EXPECT_EQ(kicks, 1);
  EXPECT_EQ(machine.next_deadline(), kSecond);
}

TEST_F(VcpuClockTest, ATimerArmedWhileTheVcpuIsParkedKicksNobody) {
  clock.enter();
  clock.leave(Exit::Kind::kKicked);
  timer.arm(1);
  EXPECT_EQ(kicks, 0);
  EXPECT_EQ(clock.enter(), 1);
}

}  // namespace
}  // namespace kite
