#include "devices/time/pit_8254.h"

#include <gtest/gtest.h>

#include "tests/devices/probes.h"

namespace kite {
namespace {

constexpr Nanos ticks(u64 count) {
  return static_cast<Nanos>((static_cast<u128>(count) * 1'000'000'000 + Pit8254::kHz - 1) /
                            Pit8254::kHz);
}

class Pit8254Test : public testing::Test {
 protected:
  ManualClock clock;
  test::WireProbe irq0;
  Pit8254 pit{clock, irq0.line()};

  void control(u8 value) { pit.write(3, value, 1); }
  void count(unsigned counter, u16 value) {
    pit.write(counter, value & 0xFF, 1);
    pit.write(counter, value >> 8, 1);
  }
  // Advances to just after CLK pulse number `total` since the test began.
  void at(u64 total) { clock.advance(ticks(total) - clock.now()); }
  u16 latched(unsigned counter) {
    control(static_cast<u8>(counter << 6));
    const u64 low = pit.read(counter, 1);
    return static_cast<u16>(low | pit.read(counter, 1) << 8);
  }
  u8 status(unsigned counter) {
    control(static_cast<u8>(0xE0 | 2u << counter));
    return static_cast<u8>(pit.read(counter, 1));
  }
  bool out(unsigned counter) { return status(counter) & 0x80; }
  void gate2(bool level) { pit.port_61().write(0, level ? 1 : 0, 1); }
  bool out2() { return pit.port_61().read(0, 1) & 0x20; }
};

TEST_F(Pit8254Test, Mode0RaisesOutNPlusOneClocksAfterTheCountIsWritten) {
  control(0x30);
  EXPECT_FALSE(irq0.level);
  count(0, 100);
  at(100);
  EXPECT_FALSE(irq0.level);
  EXPECT_FALSE(out(0));
  at(101);
  EXPECT_TRUE(irq0.level);
  EXPECT_TRUE(out(0));
  clock.advance(kSecond);
  EXPECT_EQ(irq0.rises, 1);
}

TEST_F(Pit8254Test, Mode0CountsOnFromTheTopAfterItsEnd) {
  control(0x30);
  count(0, 100);
  at(51);
  EXPECT_EQ(latched(0), 50);
  at(103);
  EXPECT_EQ(latched(0), 0xFFFE);
}

TEST_F(Pit8254Test, InMode0TheFirstByteOfANewCountLowersOutAndStopsCounting) {
  control(0x30);
  count(0, 10);
  at(20);
  EXPECT_TRUE(irq0.level);
  pit.write(0, 5, 1);
  EXPECT_FALSE(irq0.level);
  at(1000);
  EXPECT_FALSE(irq0.level);
  pit.write(0, 0, 1);
  at(1006);
  EXPECT_TRUE(irq0.level);
}

TEST_F(Pit8254Test, Mode0PausesWhileTheGateIsLow) {
  gate2(true);
  control(0xB0);
  count(2, 100);
  at(41);
  gate2(false);
  at(500);
  EXPECT_EQ(latched(2), 60);
  EXPECT_FALSE(out2());
  gate2(true);
  at(559);
  EXPECT_FALSE(out2());
  at(560);
  EXPECT_TRUE(out2());
}

TEST_F(Pit8254Test, Mode1GivesAPulseOfNClocksFromEachRiseOfTheGate) {
  control(0xB2);
  count(2, 50);
  EXPECT_TRUE(out2());
  at(10);
  gate2(true);
  at(11);
  EXPECT_FALSE(out2());
  at(60);
  EXPECT_FALSE(out2());
  at(61);
  EXPECT_TRUE(out2());
  gate2(false);
  gate2(true);
  at(62);
  EXPECT_FALSE(out2());
  at(90);
  gate2(false);
  gate2(true);  // retriggers
  at(140);
  EXPECT_FALSE(out2());
  at(141);
  EXPECT_TRUE(out2());
}

TEST_F(Pit8254Test, Mode1TakesANewCountAtTheNextTriggerOnly) {
  control(0xB2);
  count(2, 50);
  gate2(true);
  at(10);
  count(2, 5);
  at(50);
  EXPECT_FALSE(out2());
  at(51);
  EXPECT_TRUE(out2());
  gate2(false);
  gate2(true);
  at(52);
  EXPECT_FALSE(out2());
  at(57);
  EXPECT_TRUE(out2());
}

TEST_F(Pit8254Test, Mode2InterruptsEveryNClocks) {
  control(0x34);
  const int before = irq0.rises;
  count(0, 1000);
  at(1001);
  EXPECT_EQ(irq0.rises - before, 1);
  at(10'001);
  EXPECT_EQ(irq0.rises - before, 10);
  EXPECT_TRUE(irq0.level);
}

TEST_F(Pit8254Test, Mode2IsLowForTheLastClockOfEachCycleAndCountsFromNToOne) {
  control(0x34);
  count(0, 1000);
  at(1);
  EXPECT_EQ(latched(0), 1000);
  at(1000);
  EXPECT_EQ(latched(0), 1);
  EXPECT_FALSE(out(0));
  at(1001);
  EXPECT_EQ(latched(0), 1000);
  EXPECT_TRUE(out(0));
}

TEST_F(Pit8254Test, Mode2TakesANewCountAtTheEndOfTheCycle) {
  control(0x34);
  count(0, 1000);
  at(501);
  count(0, 100);
  const int before = irq0.rises;
  EXPECT_EQ(latched(0), 500);
  EXPECT_TRUE(status(0) & 0x40);
  at(1000);
  EXPECT_EQ(irq0.rises, before);
  at(1001);
  EXPECT_EQ(irq0.rises, before + 1);
  EXPECT_FALSE(status(0) & 0x40);
  at(1101);
  EXPECT_EQ(irq0.rises, before + 2);
}

TEST_F(Pit8254Test, Mode2RestartsAtTheRiseOfTheGateAndIsHighWhileItIsLow) {
  gate2(true);
  control(0xB4);
  count(2, 100);
  at(100);
  EXPECT_FALSE(out2());
  gate2(false);
  EXPECT_TRUE(out2());
  at(150);
  gate2(true);
  at(151);
  EXPECT_EQ(latched(2), 100);
  at(250);
  EXPECT_FALSE(out2());
}

TEST_F(Pit8254Test, Mode3IsASquareWaveCountedByTwo) {
  gate2(true);
  control(0xB6);
  count(2, 100);
  at(1);
  EXPECT_EQ(latched(2), 100);
  EXPECT_TRUE(out2());
  at(50);
  EXPECT_TRUE(out2());
  EXPECT_EQ(latched(2), 2);
  at(51);
  EXPECT_FALSE(out2());
  EXPECT_EQ(latched(2), 100);
  at(101);
  EXPECT_TRUE(out2());
}

TEST_F(Pit8254Test, Mode3WithAnOddCountIsHighOneClockLonger) {
  gate2(true);
  control(0xB6);
  count(2, 5);
  const bool wave[] = {true, true, true, false, false, true, true, true, false, false};
  for (u64 i = 0; i < 10; ++i) {
    at(1 + i);
    EXPECT_EQ(out2(), wave[i]) << i;
  }
}

TEST_F(Pit8254Test, Mode3TakesANewCountAtTheEndOfTheHalfCycle) {
  gate2(true);
  control(0xB6);
  count(2, 100);
  at(11);
  count(2, 20);
  at(50);
  EXPECT_TRUE(out2());
  at(51);
  EXPECT_FALSE(out2());
  at(60);
  EXPECT_FALSE(out2());
  at(61);
  EXPECT_TRUE(out2());
  at(71);
  EXPECT_FALSE(out2());
}

TEST_F(Pit8254Test, Mode3InterruptsOncePerCycle) {
  control(0x36);
  count(0, 0);
  const int before = irq0.rises;
  at(65536 * 10 + 1);
  EXPECT_EQ(irq0.rises - before, 10);
}

TEST_F(Pit8254Test, Mode4StrobesOnceForOneClock) {
  gate2(true);
  control(0xB8);
  count(2, 30);
  EXPECT_TRUE(out2());
  at(30);
  EXPECT_TRUE(out2());
  at(31);
  EXPECT_FALSE(out2());
  at(32);
  EXPECT_TRUE(out2());
  at(65536 + 31);
  EXPECT_TRUE(out2());
}

TEST_F(Pit8254Test, Mode4InterruptsOncePerCountAsLinuxOneShotNeedsIt) {
  control(0x38);
  count(0, 1000);
  const int before = irq0.rises;
  clock.advance(kSecond);
  EXPECT_EQ(irq0.rises - before, 1);
  count(0, 500);
  clock.advance(kSecond);
  EXPECT_EQ(irq0.rises - before, 2);
}

TEST_F(Pit8254Test, Mode5StrobesNClocksAfterTheRiseOfTheGate) {
  control(0xBA);
  count(2, 30);
  at(100);
  EXPECT_TRUE(out2());
  gate2(true);
  at(130);
  EXPECT_TRUE(out2());
  at(131);
  EXPECT_FALSE(out2());
  at(132);
  EXPECT_TRUE(out2());
}

TEST_F(Pit8254Test, ALatchedCountStandsUntilItIsRead) {
  control(0x34);
  count(0, 1000);
  at(101);
  control(0x00);
  at(501);
  control(0x00);  // ignored: the first latch was not read
  EXPECT_EQ(pit.read(0, 1) | pit.read(0, 1) << 8, 900u);
  EXPECT_EQ(latched(0), 500);
}

TEST_F(Pit8254Test, ReadBackLatchesStatusAndCountOfSeveralCountersStatusFirst) {
  control(0x34);
  count(0, 1000);
  control(0xB4);
  count(2, 2000);
  at(101);
  control(0xC0 | 0x0A);  // count and status of 0 and 2
  at(201);
  EXPECT_EQ(pit.read(0, 1), 0x80u | 0x34);
  EXPECT_EQ(pit.read(0, 1) | pit.read(0, 1) << 8, 900u);
  EXPECT_EQ(pit.read(2, 1), 0x80u | 0x34 | 0x40);  // gate low: never loaded
}

TEST_F(Pit8254Test, StatusShowsTheControlWordAsWrittenAndTheNullCount) {
  control(0x3E);  // mode "7" is 3
  EXPECT_EQ(status(0), 0x80 | 0x40 | 0x3E);
  count(0, 1000);
  at(10);
  EXPECT_EQ(status(0), 0x80 | 0x3E);
}

TEST_F(Pit8254Test, OneByteFormatsReadAndWriteThatByteOnly) {
  control(0x14);  // mode 2, LSB only
  pit.write(0, 200, 1);
  at(51);
  EXPECT_EQ(pit.read(0, 1), 150u);
  EXPECT_EQ(pit.read(0, 1), 150u);
  control(0x24);  // mode 2, MSB only
  pit.write(0, 0x10, 1);
  at(52);
  EXPECT_EQ(pit.read(0, 1), 0x10u);
}

TEST_F(Pit8254Test, BcdCountsInDecimalDigits) {
  control(0x35);
  count(0, 0x1000);
  at(2);
  EXPECT_EQ(latched(0), 0x0999);
  at(1001);
  EXPECT_EQ(latched(0), 0x1000);
  control(0x31);
  count(0, 0);  // 10000
  at(1001 + 2);
  EXPECT_EQ(latched(0), 0x9999);
}

TEST_F(Pit8254Test, PeriodsThatNobodySawAreOneInterrupt) {
  class Jump : public Clock {
   public:
    Nanos time = 0;
    Nanos now() const override { return time; }
  } jump;
  test::WireProbe wire;
  Pit8254 late(jump, wire.line());
  late.write(3, 0x34, 1);
  late.write(0, 0x10, 1);
  late.write(0, 0x00, 1);
  const int before = wire.rises;
  jump.time = 3600 * kSecond;
  jump.run_due();
  EXPECT_EQ(wire.rises - before, 1);
  EXPECT_GT(jump.next_deadline(), jump.time);
}

TEST_F(Pit8254Test, TheShortestPeriodDoesNotOccupyTheHost) {
  control(0x14);
  pit.write(0, 1, 1);
  const int before = irq0.rises;
  clock.advance(10 * kMillisecond);
  EXPECT_LE(irq0.rises - before, 501);
  EXPECT_GE(irq0.rises - before, 490);
}

TEST_F(Pit8254Test, Port61KeepsItsFourBitsAndTogglesTheRefreshBit) {
  pit.port_61().write(0, 0xFF, 1);
  EXPECT_EQ(pit.port_61().read(0, 1) & 0xCF, 0x0Fu);
  int toggles = 0;
  u64 last = pit.port_61().read(0, 1) & 0x10;
  for (int i = 0; i < 1000; ++i) {
    clock.advance(kMicrosecond);
    const u64 now = pit.port_61().read(0, 1) & 0x10;
    toggles += now != last;
    last = now;
  }
  EXPECT_NEAR(toggles, 66, 1);  // every 15.085 us
}

TEST_F(Pit8254Test, LinuxCalibratesTheTscWithCounter2AndPort61) {
  // arch/x86/kernel/tsc.c, pit_calibrate_tsc(): mode 0, gate up, speaker off, 50 ms.
  auto& port = pit.port_61();
  port.write(0, (port.read(0, 1) & ~u64{2}) | 1, 1);
  control(0xB0);
  const u16 latch = static_cast<u16>(Pit8254::kHz / 20);
  count(2, latch);
  while (!(port.read(0, 1) & 0x20)) clock.advance(kMicrosecond);
  EXPECT_NEAR(static_cast<double>(clock.now()), 50e6, 5e3);
}

TEST_F(Pit8254Test, LinuxQuickCalibrationSeesTheMsbOfCounter2FallStepByStep) {
  // arch/x86/kernel/tsc.c, quick_pit_calibrate(): mode 0, FFFFh, the MSB read again and again.
  auto& port = pit.port_61();
  port.write(0, (port.read(0, 1) & ~u64{2}) | 1, 1);
  control(0xB0);
  pit.write(2, 0xFF, 1);
  pit.write(2, 0xFF, 1);
  clock.advance(2 * kMicrosecond);
  u8 expected = 0xFF;
  for (int step = 0; step < 20; ++step) {
    int reads = 0;
    while (true) {
      pit.read(2, 1);
      if (pit.read(2, 1) != expected) break;
      clock.advance(kMicrosecond);
      ++reads;
    }
    EXPECT_GT(reads, 200);
    EXPECT_LT(reads, 220);
    --expected;
  }
}

TEST_F(Pit8254Test, ResetStopsTheCountersAndLowersTheWire) {
  control(0x34);
  count(0, 100);
  at(5000);
  pit.reset();
  EXPECT_FALSE(irq0.level);
  EXPECT_EQ(clock.next_deadline(), kNever);
}

TEST_F(Pit8254Test, ASavedStateGoesOnElsewhere) {
  control(0x34);
  count(0, 1000);
  at(501);
  test::WireProbe wire;
  Pit8254 other(clock, wire.line());
  ASSERT_TRUE(test::restore(other, test::saved(pit)));
  EXPECT_EQ(test::saved(other), test::saved(pit));
  const int before = wire.rises;
  at(1001);
  EXPECT_EQ(wire.rises - before, 1);
}

}  // namespace
}  // namespace kite
