#include "devices/time/hpet.h"

#include <gtest/gtest.h>

#include "tests/devices/probes.h"

namespace kite {
namespace {

class HpetTest : public testing::Test {
 protected:
  ManualClock clock;
  test::WireProbe irq0, irq8, replacement, route2, route20, route21;
  Hpet hpet{clock, wiring()};

  Hpet::Wiring wiring() {
    Hpet::Wiring wires;
    wires.route_mask = 1u << 2 | 1u << 20 | 1u << 21;
    wires.routes[2] = route2.line();
    wires.routes[20] = route20.line();
    wires.routes[21] = route21.line();
    wires.legacy_irq0 = irq0.line();
    wires.legacy_irq8 = irq8.line();
    wires.legacy_replacement = replacement.line();
    return wires;
  }
  u64 get(u64 offset) { return hpet.read(offset, 8); }
  void set(u64 offset, u64 value) { hpet.write(offset, value, 8); }
  void enable(u64 bits = 0) { set(0x10, 1 | bits); }
  static u64 config(unsigned n) { return 0x100 + 0x20 * n; }
  static u64 value(unsigned n) { return 0x108 + 0x20 * n; }
  static u64 route(u64 input) { return input << 9; }
  static constexpr u64 kLevel = 2, kEnabled = 4, kPeriodic = 8, kSet = 0x40, k32 = 0x100;
};

TEST_F(HpetTest, DescribesItself) {
  const u64 id = get(0);
  EXPECT_EQ(id >> 32, 10'000'000u);         // femtoseconds per tick
  EXPECT_EQ(id & 0xFFFFFFFF, 0x8086A201u);  // Intel, legacy capable, 64 bits, 3 timers, rev. 1
  EXPECT_EQ(get(config(0)), 0x00300004'00000030u);
  EXPECT_EQ(hpet.read(4, 4), 10'000'000u);
}

TEST_F(HpetTest, TheCounterRunsOnlyWhileEnabled) {
  clock.advance(kMillisecond);
  EXPECT_EQ(get(0xF0), 0u);
  enable();
  clock.advance(kMillisecond);
  EXPECT_EQ(get(0xF0), 100'000u);
  set(0x10, 0);
  clock.advance(kMillisecond);
  EXPECT_EQ(get(0xF0), 100'000u);
  enable();
  clock.advance(10);
  EXPECT_EQ(get(0xF0), 100'001u);
}

TEST_F(HpetTest, TheCounterCanBeSetWholeOrInHalves) {
  set(0xF0, 0x1'2345'6789);
  EXPECT_EQ(hpet.read(0xF4, 4), 1u);
  hpet.write(0xF0, 0xFFFF'FFFF, 4);
  EXPECT_EQ(get(0xF0), 0x1'FFFF'FFFFu);
  enable();
  clock.advance(10);
  EXPECT_EQ(get(0xF0), 0x2'0000'0000u);
}

TEST_F(HpetTest, AOneShotComparatorGivesOneEdgeWhereItIsRouted) {
  enable();
  set(config(0), kEnabled | route(20));
  set(value(0), 1000);
  clock.advance(9'999);
  EXPECT_EQ(route20.rises, 0);
  clock.advance(1);
  EXPECT_EQ(route20.rises, 1);
  EXPECT_EQ(get(0x20), 0u);  // no status for an edge
  clock.advance(kSecond);
  EXPECT_EQ(route20.rises, 1);
}

TEST_F(HpetTest, ALevelComparatorHoldsItsWireUntilTheStatusIsCleared) {
  enable();
  set(config(1), kEnabled | kLevel | route(21));
  set(value(1), 1000);
  clock.advance(kMillisecond);
  EXPECT_TRUE(route21.level);
  EXPECT_EQ(get(0x20), 2u);
  set(0x20, 5);
  EXPECT_TRUE(route21.level);
  set(0x20, 2);
  EXPECT_FALSE(route21.level);
  EXPECT_EQ(get(0x20), 0u);
}

TEST_F(HpetTest, ALevelComparatorWithInterruptsOffSetsItsStatusOnly) {
  enable();
  set(config(1), kLevel | route(21));
  set(value(1), 1000);
  clock.advance(kMillisecond);
  EXPECT_FALSE(route21.level);
  EXPECT_EQ(get(0x20), 2u);
  set(config(1), kLevel | kEnabled | route(21));
  EXPECT_TRUE(route21.level);
}

// Linux leaves comparator 0 so when it has the APIC's timer: 250 wake-ups a second for nothing.
TEST_F(HpetTest, APeriodicComparatorWithInterruptsOffWakesNobody) {
  enable();
  set(config(0), kEnabled | kPeriodic | kSet | route(2));
  set(value(0), 400'000);  // 4 ms
  clock.advance(4 * kMillisecond);
  EXPECT_EQ(route2.rises, 1);
  set(config(0), kPeriodic | route(2));
  EXPECT_EQ(clock.next_deadline(), kNever);
  clock.advance(17 * kMillisecond);
  EXPECT_EQ(route2.rises, 1);
  EXPECT_EQ(get(value(0)), 2'400'000u) << "it counts all the same";
  set(config(0), kEnabled | kPeriodic | route(2));
  clock.advance(2 * kMillisecond);
  EXPECT_EQ(route2.rises, 1);
  clock.advance(kMillisecond);
  EXPECT_EQ(route2.rises, 2) << "and matches when it would have";
}

TEST_F(HpetTest, APeriodicComparatorAddsItsPeriodAsLinuxSetsItUp) {
  // drivers: hpet_clkevt_set_state_periodic(): VAL_SET, first match, then the period.
  enable();
  set(config(0), kEnabled | kPeriodic | kSet | k32 | route(2));
  hpet.write(value(0), 100'000, 4);
  EXPECT_EQ(get(config(0)) & kSet, 0u);
  hpet.write(value(0), 50'000, 4);
  clock.advance(kMillisecond);
  EXPECT_EQ(route2.rises, 1);
  EXPECT_EQ(get(value(0)), 150'000u);
  clock.advance(2 * kMillisecond);
  EXPECT_EQ(route2.rises, 5);
  EXPECT_EQ(get(value(0)), 350'000u);
}

TEST_F(HpetTest, LegacyReplacementTakesIrq0AndIrq8) {
  enable(2);
  EXPECT_TRUE(replacement.level);
  for (unsigned n = 0; n < 3; ++n) {
    set(config(n), kEnabled | route(20));
    set(value(n), 100 * (n + 1));
  }
  clock.advance(kMillisecond);
  EXPECT_EQ(irq0.rises, 1);
  EXPECT_EQ(irq8.rises, 1);
  EXPECT_EQ(route20.rises, 1);  // comparator 2 has no legacy wire
  enable();
  EXPECT_FALSE(replacement.level);
}

TEST_F(HpetTest, ARouteTheBoardDoesNotHaveStaysSilent) {
  enable();
  set(config(0), kEnabled | kLevel | route(31));
  set(value(0), 10);
  clock.advance(kMillisecond);
  EXPECT_EQ(get(0x20), 1u);
}

TEST_F(HpetTest, A32BitOneShotMatchesAgainWhenItsHalfComesRound) {
  set(0xF0, 0x5'0000'0000);
  enable();
  set(config(0), kEnabled | k32 | route(20));
  set(value(0), 1000);
  clock.advance(10'000);
  EXPECT_EQ(route20.rises, 1);
  clock.advance(static_cast<Nanos>(u64{1} << 32) * 10);
  EXPECT_EQ(route20.rises, 2);
}

TEST_F(HpetTest, AComparatorSetInThePastWaitsForTheCounterToComeRound) {
  set(0xF0, 5000);
  enable();
  set(config(0), kEnabled | route(20));
  set(value(0), 4000);
  clock.advance(kSecond);
  EXPECT_EQ(route20.rises, 0);
}

TEST_F(HpetTest, StoppingTheCounterStopsTheInterrupts) {
  enable();
  set(config(0), kEnabled | kLevel | route(20));
  set(value(0), 1000);
  set(0x10, 0);
  clock.advance(kSecond);
  EXPECT_FALSE(route20.level);
  enable();
  clock.advance(kMillisecond);
  EXPECT_TRUE(route20.level);
}

TEST_F(HpetTest, PeriodsThatNobodySawAreOneInterrupt) {
  class Jump : public Clock {
   public:
    Nanos time = 0;
    Nanos now() const override { return time; }
  } jump;
  test::WireProbe wire;
  Hpet::Wiring wires;
  wires.route_mask = 1;
  wires.routes[0] = wire.line();
  Hpet late(jump, std::move(wires));
  late.write(0x10, 1, 8);
  late.write(config(0), kEnabled | kPeriodic | kSet, 8);
  late.write(value(0), 10'000, 8);
  jump.time = 3600 * kSecond;
  jump.run_due();
  EXPECT_EQ(wire.rises, 1);
  EXPECT_EQ(late.read(value(0), 8), 360'000'010'000u);
}

TEST_F(HpetTest, TheShortestPeriodDoesNotOccupyTheHost) {
  enable();
  set(config(0), kEnabled | kPeriodic | kSet | route(20));
  set(value(0), 1);
  clock.advance(10 * kMillisecond);
  EXPECT_LE(route20.rises, 501);
  EXPECT_GE(route20.rises, 490);
  EXPECT_EQ(get(value(0)), get(0xF0) + 1);
}

TEST_F(HpetTest, ResetStopsItAndLowersItsWires) {
  enable(2);
  set(config(0), kEnabled | kLevel);
  set(value(0), 1000);
  clock.advance(kMillisecond);
  EXPECT_TRUE(irq0.level);
  hpet.reset();
  EXPECT_FALSE(irq0.level);
  EXPECT_FALSE(replacement.level);
  EXPECT_EQ(get(0x10), 0u);
  EXPECT_EQ(get(0xF0), 0u);
  EXPECT_EQ(clock.next_deadline(), kNever);
}

TEST_F(HpetTest, ASavedStateGoesOnElsewhere) {
  enable();
  set(config(0), kEnabled | kPeriodic | kSet | route(20));
  set(value(0), 100'000);
  clock.advance(kMillisecond + kMillisecond / 2);
  test::WireProbe wire;
  Hpet::Wiring wires;
  wires.route_mask = 1u << 20;
  wires.routes[20] = wire.line();
  Hpet other(clock, std::move(wires));
  ASSERT_TRUE(test::restore(other, test::saved(hpet)));
  EXPECT_EQ(test::saved(other), test::saved(hpet));
  const int before = wire.rises;
  clock.advance(kMillisecond);
  EXPECT_EQ(wire.rises - before, 1);
}

}  // namespace
}  // namespace kite
