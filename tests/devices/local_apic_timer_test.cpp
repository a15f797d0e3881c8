#include "devices/irq/local_apic_timer.h"

#include "tests/devices/local_apic_fixture.h"

namespace kite {
namespace {

constexpr u32 kOneShot = 0, kPeriodic = 1u << 17, kTscDeadline = 2u << 17;
constexpr u64 kLvtTimer = 0x320, kInitial = 0x380, kCurrent = 0x390, kDivide = 0x3E0, kEoi = 0xB0;
constexpr u32 kDeadline = 0x6E0;

class LocalApicTimerTest : public test::LocalApicTest {
 protected:
  LocalApicTimerTest() {
    enable();
    set(kDivide, 0xB);  // by 1
  }
  // Takes a timer interrupt if there is one.
  bool take() {
    if (!apic.acknowledge()) return false;
    set(kEoi, 0);
    return true;
  }
};

TEST_F(LocalApicTimerTest, OneShotCountsDownInterruptsOnceAndStaysAtZero) {
  set(kLvtTimer, kOneShot | 0x50);
  set(kInitial, 1000);
  clock.advance(400);
  EXPECT_EQ(get(kCurrent), 600u);
  clock.advance(599);
  EXPECT_FALSE(take());
  clock.advance(1);
  EXPECT_EQ(get(kCurrent), 0u);
  EXPECT_TRUE(take());
  clock.advance(kSecond);
  EXPECT_FALSE(take());
}

TEST_F(LocalApicTimerTest, PeriodicInterruptsEachTimeAndReloads) {
  set(kLvtTimer, kPeriodic | 0x50);
  set(kInitial, 1'000'000);
  for (int i = 0; i < 5; ++i) {
    clock.advance(999'999);
    EXPECT_FALSE(take());
    clock.advance(1);
    EXPECT_TRUE(take());
  }
  clock.advance(250'000);
  EXPECT_EQ(get(kCurrent), 750'000u);
}

TEST_F(LocalApicTimerTest, TheDividerHasTheManualsEncoding) {
  // SDM 3A figure 11-10.
  const u32 codes[] = {0xB, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xA};
  for (u32 shift = 0; shift < 8; ++shift) {
    set(kDivide, codes[shift]);
    set(kLvtTimer, kOneShot | 0x50);
    set(kInitial, 1000);
    clock.advance((1000 << shift) + 128);
    EXPECT_TRUE(take()) << shift;
    set(kInitial, 1000);
    clock.advance((900 << shift));
    EXPECT_FALSE(take()) << shift;
    set(kInitial, 0);
  }
}

TEST_F(LocalApicTimerTest, AnInitialCountOfZeroStopsIt) {
  set(kLvtTimer, kPeriodic | 0x50);
  set(kInitial, 1000);
  set(kInitial, 0);
  clock.advance(kSecond);
  EXPECT_FALSE(take());
  EXPECT_EQ(get(kCurrent), 0u);
  EXPECT_EQ(clock.next_deadline(), kNever);
}

TEST_F(LocalApicTimerTest, MaskedItCountsWithoutInterrupting) {
  set(kLvtTimer, 0x10050);
  set(kInitial, 1000);
  clock.advance(400);
  EXPECT_EQ(get(kCurrent), 600u);
  clock.advance(1000);
  EXPECT_FALSE(apic.pending());
}

TEST_F(LocalApicTimerTest, ANewDividerTakesTheRestOfTheCountAlong) {
  set(kLvtTimer, kOneShot | 0x50);
  set(kInitial, 1000);
  clock.advance(500);
  set(kDivide, 0x0);
  EXPECT_EQ(get(kCurrent), 500u);
  clock.advance(998);
  EXPECT_FALSE(take());
  clock.advance(2);
  EXPECT_TRUE(take());
}

TEST_F(LocalApicTimerTest, LinuxCalibratesItWithALargeCountInOneShotMode) {
  // arch/x86/kernel/apic/apic.c, calibrate_APIC_clock(): divide by 16, FFFFFFFFh, masked.
  set(kDivide, 0x3);
  set(kLvtTimer, 0x10000 | 0xEC);
  set(kInitial, 0xFFFFFFFF);
  const u32 before = get(kCurrent);
  clock.advance(100 * kMillisecond);
  EXPECT_NEAR(before - get(kCurrent), 100e6 / 16, 1);
}

TEST_F(LocalApicTimerTest, TscDeadlineInterruptsWhenTheTscReachesItAndDisarms) {
  set(kLvtTimer, kTscDeadline | 0x50);
  ASSERT_TRUE(apic.write_msr(kDeadline, 2'000'001));  // 2 GHz: 1 ms and half a nanosecond
  EXPECT_EQ(msr(kDeadline), 2'000'001u);
  clock.advance(kMillisecond);
  EXPECT_FALSE(apic.pending());
  clock.advance(1);
  EXPECT_TRUE(take());
  EXPECT_EQ(msr(kDeadline), 0u);
}

TEST_F(LocalApicTimerTest, ATscDeadlineInThePastInterruptsAtOnce) {
  clock.advance(kSecond);
  set(kLvtTimer, kTscDeadline | 0x50);
  apic.write_msr(kDeadline, 1);
  EXPECT_TRUE(take());
  EXPECT_EQ(msr(kDeadline), 0u);
}

TEST_F(LocalApicTimerTest, ATscDeadlineOfZeroDisarms) {
  set(kLvtTimer, kTscDeadline | 0x50);
  apic.write_msr(kDeadline, 1000);
  apic.write_msr(kDeadline, 0);
  clock.advance(kSecond);
  EXPECT_FALSE(take());
}

TEST_F(LocalApicTimerTest, ATscDeadlineFollowsTheTscWhenTheGuestMovesIt) {
  clock.advance(10 * kMillisecond);
  set(kLvtTimer, kTscDeadline | 0x50);
  apic.write_msr(kDeadline, 22'000'000);  // in 1 ms
  apic.set_tsc_offset(-2'000'000);        // in 2 ms
  clock.advance(2 * kMillisecond - 1);
  EXPECT_FALSE(take());
  clock.advance(1);
  EXPECT_TRUE(take());
}

TEST_F(LocalApicTimerTest, ATscMovedBeyondTheDeadlineInterruptsAtOnce) {
  set(kLvtTimer, kTscDeadline | 0x50);
  apic.write_msr(kDeadline, 2'000'000);
  apic.set_tsc_offset(2'000'000);
  EXPECT_TRUE(take());
}

TEST_F(LocalApicTimerTest, OutsideItsModeADeadlineIsIgnoredAndInItACountIs) {
  apic.write_msr(kDeadline, 5);
  EXPECT_EQ(msr(kDeadline), 0u);
  set(kLvtTimer, kTscDeadline | 0x50);
  set(kInitial, 100);
  EXPECT_EQ(get(kInitial), 0u);
  clock.advance(kSecond);
  EXPECT_FALSE(take());
}

TEST_F(LocalApicTimerTest, LeavingTscDeadlineModeDisarms) {
  set(kLvtTimer, kTscDeadline | 0x50);
  apic.write_msr(kDeadline, 1'000'000);
  set(kLvtTimer, kOneShot | 0x50);
  clock.advance(kSecond);
  EXPECT_FALSE(take());
}

TEST_F(LocalApicTimerTest, ADeadlineBeyondTheEndOfTimeIsHarmless) {
  set(kLvtTimer, kTscDeadline | 0x50);
  apic.write_msr(kDeadline, ~u64{0});
  clock.advance(kSecond);
  EXPECT_FALSE(take());
  EXPECT_EQ(msr(kDeadline), ~u64{0});
}

TEST_F(LocalApicTimerTest, ChangingToOneShotLetsTheCurrentPeriodEnd) {
  set(kLvtTimer, kPeriodic | 0x50);
  set(kInitial, 100'000);
  clock.advance(150'000);
  EXPECT_TRUE(take());
  set(kLvtTimer, kOneShot | 0x50);
  EXPECT_EQ(get(kCurrent), 50'000u);
  clock.advance(50'000);
  EXPECT_TRUE(take());
  clock.advance(kSecond);
  EXPECT_FALSE(take());
}

// Time passes, and whoever runs the timers has not come to it yet.
struct LateClock : Clock {
  Nanos now() const override { return time; }
  Nanos time = 0;
};

TEST(LateLocalApicTimer, ACountThatHasEndedStaysEndedWhenTheModeOrTheDividerChanges) {
  LateClock clock;
  test::BusProbe bus;
  test::WiringProbe wiring;
  LocalApic apic{{.apic_id = 0, .bootstrap = true}, clock, bus, wiring};
  const auto set = [&](u64 offset, u32 value) { apic.write(offset, value, 4); };
  const std::pair<u64, u32> changes[] = {
      {kLvtTimer, kPeriodic | 0x50}, {kDivide, 0xA}, {kInitial, 5000}};
  for (const auto& [offset, value] : changes) {
    set(0xF0, 0x1FF);
    set(kDivide, 0xB);
    set(kLvtTimer, kOneShot | 0x50);
    set(kInitial, 1000);
    clock.time += 1001;
    EXPECT_EQ(apic.read(kCurrent, 4), 0u);
    set(offset, value);
    EXPECT_EQ(apic.read(kCurrent, 4), offset == kInitial ? 5000u : 0u) << std::hex << offset;
    EXPECT_EQ(apic.acknowledge(), std::optional<u8>(0x50)) << std::hex << offset;
    set(kEoi, 0);
    apic.reset();
  }
}

TEST_F(LocalApicTimerTest, TheShortestPeriodDoesNotOccupyTheHost) {
  set(kLvtTimer, kPeriodic | 0x50);
  set(kInitial, 1);
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    clock.advance(10 * kMicrosecond);
    taken += take();
  }
  EXPECT_LE(taken, 501);
  EXPECT_GE(taken, 490);
}

TEST_F(LocalApicTimerTest, InitDisarmsIt) {
  set(kLvtTimer, kTscDeadline | 0x50);
  apic.write_msr(kDeadline, 1'000'000);
  send(0, DeliveryMode::kInit);
  EXPECT_EQ(clock.next_deadline(), kNever);
  EXPECT_EQ(msr(kDeadline), 0u);
}

}  // namespace
}  // namespace kite
