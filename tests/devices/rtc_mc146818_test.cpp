#include "devices/time/rtc_mc146818.h"

#include <gtest/gtest.h>

#include "fake_cable.h"

namespace kite {
namespace {

// 2024-02-28 23:59:58 UTC, a Wednesday, in a leap year.
constexpr i64 kBase = 1'709'164'798;

class RtcMc146818Test : public testing::Test {
 protected:
  u8 in(u8 index) {
    rtc.write(0, index, 1);
    return static_cast<u8>(rtc.read(1, 1));
  }
  void out(u8 index, u8 value) {
    rtc.write(0, index, 1);
    rtc.write(1, value, 1);
  }
  void expect_time(u8 hour, u8 minute, u8 second) {
    EXPECT_EQ(in(4), hour);
    EXPECT_EQ(in(2), minute);
    EXPECT_EQ(in(0), second);
  }
  void expect_date(u8 century, u8 year, u8 month, u8 day, u8 weekday) {
    EXPECT_EQ(in(0x32), century);
    EXPECT_EQ(in(9), year);
    EXPECT_EQ(in(8), month);
    EXPECT_EQ(in(7), day);
    EXPECT_EQ(in(6), weekday);
  }

  WireProbe irq;
  ManualClock clock;
  RtcMc146818 rtc{irq.line(), clock, kBase};
};

TEST_F(RtcMc146818Test, TellsTheTimeItWasGivenInBcd) {
  expect_time(0x23, 0x59, 0x58);
  expect_date(0x20, 0x24, 0x02, 0x28, 0x04);
}

TEST_F(RtcMc146818Test, TimeGoesOnIntoALeapDay) {
  clock.advance(3 * kSecond);
  expect_time(0x00, 0x00, 0x01);
  expect_date(0x20, 0x24, 0x02, 0x29, 0x05);
  clock.advance(86400 * kSecond);
  expect_date(0x20, 0x24, 0x03, 0x01, 0x06);
}

TEST_F(RtcMc146818Test, TheCenturyTurns) {
  RtcMc146818 other(Line(), clock, 946'684'799);  // 1999-12-31 23:59:59
  other.write(0, 0x32, 1);
  EXPECT_EQ(other.read(1, 1), 0x19u);
  clock.advance(kSecond);
  EXPECT_EQ(other.read(1, 1), 0x20u);
  other.write(0, 9, 1);
  EXPECT_EQ(other.read(1, 1), 0x00u);
}

TEST_F(RtcMc146818Test, BinaryModeGivesPlainNumbers) {
  out(0x0b, 0x06);
  expect_time(23, 59, 58);
  expect_date(20, 24, 2, 28, 4);
}

TEST_F(RtcMc146818Test, TwelveHourModeMarksTheAfternoon) {
  out(0x0b, 0x00);
  EXPECT_EQ(in(4), 0x91);
  clock.advance(2 * kSecond);
  EXPECT_EQ(in(4), 0x12);  // midnight
  clock.advance(12 * 3600 * kSecond);
  EXPECT_EQ(in(4), 0x92);  // noon
}

TEST_F(RtcMc146818Test, TimeCanBeSetInTwelveHourMode) {
  out(0x0b, 0x80);
  out(4, 0x92);
  out(0x0b, 0x00);
  out(0x0b, 0x02);
  EXPECT_EQ(in(4), 0x12);
  out(0x0b, 0x80);
  out(4, 0x12);
  out(0x0b, 0x00);
  out(0x0b, 0x02);
  EXPECT_EQ(in(4), 0x00);
}

TEST_F(RtcMc146818Test, SetStopsTheClockAndClearingItGoesOn) {
  out(0x0b, 0x82);
  clock.advance(10 * kSecond);
  expect_time(0x23, 0x59, 0x58);
  out(4, 0x01);
  out(2, 0x02);
  out(0, 0x03);
  out(7, 0x15);
  out(8, 0x07);
  out(9, 0x31);
  out(6, 0x03);
  expect_time(0x01, 0x02, 0x03);
  out(0x0b, 0x02);
  clock.advance(kSecond);
  expect_time(0x01, 0x02, 0x04);
  expect_date(0x20, 0x31, 0x07, 0x15, 0x03);
}

TEST_F(RtcMc146818Test, ADateThatDoesNotExistIsNormalised) {
  out(0x0b, 0x82);
  out(8, 0xff);
  out(7, 0xff);
  out(0, 0x99);
  out(0x0b, 0x02);
  EXPECT_NO_FATAL_FAILURE(in(7));
  EXPECT_LE(in(8), 0x12);
  EXPECT_LE(in(0), 0x59);
}

TEST_F(RtcMc146818Test, TheFirstUpdateAfterTheDividerResetComesAfterHalfASecond) {
  out(0x0a, 0x76);
  clock.advance(5 * kSecond);
  expect_time(0x23, 0x59, 0x58);
  out(0x0a, 0x26);
  clock.advance(kSecond / 2 - 1);
  EXPECT_EQ(in(0), 0x58);
  clock.advance(1);
  EXPECT_EQ(in(0), 0x59);
}

TEST_F(RtcMc146818Test, UpdateInProgressShowsJustBeforeTheSecond) {
  EXPECT_EQ(in(0x0a), 0x26);
  clock.advance(kSecond - 2229 * kMicrosecond);
  EXPECT_EQ(in(0x0a), 0x26);
  clock.advance(2 * kMicrosecond);
  EXPECT_EQ(in(0x0a), 0xa6);
  clock.advance(3 * kMillisecond);
  EXPECT_EQ(in(0x0a), 0x26);
}

TEST_F(RtcMc146818Test, UpdateInProgressStaysClearWhileSet) {
  out(0x0b, 0x82);
  clock.advance(kSecond - kMillisecond);
  EXPECT_EQ(in(0x0a), 0x26);
}

TEST_F(RtcMc146818Test, TheUpdateEndedInterruptComesEverySecondOnceAcknowledged) {
  out(0x0b, 0x12);
  clock.advance(kSecond - 1);
  EXPECT_FALSE(irq.level);
  clock.advance(1);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(in(0x0c) & 0xb0, 0x90);
  EXPECT_FALSE(irq.level);
  EXPECT_EQ(in(0x0c), 0x00);
  clock.advance(5 * kSecond);
  EXPECT_EQ(irq.rises, 2);
}

TEST_F(RtcMc146818Test, FlagsAreSetWithoutTheInterruptEnabled) {
  clock.advance(kSecond);
  EXPECT_EQ(in(0x0c), 0x50);  // update ended, periodic
  EXPECT_EQ(irq.rises, 0);
}

TEST_F(RtcMc146818Test, EnablingAnInterruptWhoseFlagIsSetRaisesItAtOnce) {
  clock.advance(kSecond);
  out(0x0b, 0x12);
  EXPECT_TRUE(irq.level);
}

TEST_F(RtcMc146818Test, SettingSetClearsTheUpdateInterruptEnable) {
  out(0x0b, 0x92);
  EXPECT_EQ(in(0x0b), 0x82);
}

TEST_F(RtcMc146818Test, ThePeriodicInterruptHasTheRateOfRegisterA) {
  const struct {
    u8 rate;
    int per_second;
  } cases[] = {{1, 256}, {2, 128}, {3, 8192}, {6, 1024}, {15, 2}};
  for (const auto& [rate, per_second] : cases) {
    out(0x0a, 0x20 | rate);
    in(0x0c);
    out(0x0b, 0x42);
    const int before = irq.rises;
    for (int i = 0; i < 100'000; ++i) {
      clock.advance(10 * kMicrosecond);
      if (irq.level) {
        EXPECT_EQ(in(0x0c) & 0xc0, 0xc0);
      }
    }
    EXPECT_NEAR(irq.rises - before, per_second, 1) << int{rate};
    out(0x0b, 0x02);
  }
}

TEST_F(RtcMc146818Test, RateZeroHasNoPeriodicInterrupt) {
  out(0x0a, 0x20);
  out(0x0b, 0x42);
  in(0x0c);
  clock.advance(2 * kSecond);
  EXPECT_EQ(irq.rises, 0);
}

TEST_F(RtcMc146818Test, TheAlarmComesAtItsTimeOfDay) {
  out(5, 0x00);
  out(3, 0x01);
  out(1, 0x30);
  out(0x0b, 0x22);
  clock.advance(91 * kSecond);
  EXPECT_FALSE(irq.level);
  clock.advance(kSecond);  // 00:01:30
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(in(0x0c) & 0xa0, 0xa0);
  clock.advance(86400 * kSecond);
  EXPECT_EQ(irq.rises, 2);
}

TEST_F(RtcMc146818Test, AlarmBytesFromC0MatchAnything) {
  out(5, 0xff);
  out(3, 0xc0);
  out(1, 0x10);
  out(0x0b, 0x22);
  for (int i = 0; i < 5 * 60; ++i) {
    clock.advance(kSecond);
    if (irq.level) in(0x0c);
  }
  EXPECT_EQ(irq.rises, 5);
}

TEST_F(RtcMc146818Test, AnAlarmThatNeverMatchesNeverComes) {
  out(5, 0x77);
  out(3, 0xff);
  out(1, 0xff);
  out(0x0b, 0x22);
  clock.advance(2 * 86400 * kSecond);
  EXPECT_EQ(irq.rises, 0);
}

TEST_F(RtcMc146818Test, RegistersCAndDAreReadOnly) {
  out(0x0c, 0xff);
  out(0x0d, 0x00);
  EXPECT_EQ(in(0x0c), 0x00);
  EXPECT_EQ(in(0x0d), 0x80);
}

TEST_F(RtcMc146818Test, TheRestIsMemory) {
  rtc.set_nvram(0x34, 0x12);
  EXPECT_EQ(in(0x34), 0x12);
  out(0x7f, 0x99);
  EXPECT_EQ(rtc.nvram(0x7f), 0x99);
}

TEST_F(RtcMc146818Test, ClockRegistersAreNotNvram) {
  rtc.set_nvram(0x0b, 0x00);
  rtc.set_nvram(0x32, 0x00);
  rtc.set_nvram(0xff, 0x00);
  EXPECT_EQ(in(0x0b), 0x02);
  EXPECT_EQ(in(0x32), 0x20);
}

TEST_F(RtcMc146818Test, TheIndexPortIsWriteOnlyAndCarriesTheNmiMask) {
  rtc.write(0, 0x8d, 1);
  EXPECT_TRUE(rtc.nmi_masked());
  EXPECT_EQ(rtc.read(0, 1), 0xffu);
  EXPECT_EQ(rtc.read(1, 1), 0x80u);
}

TEST_F(RtcMc146818Test, ResetClearsInterruptsAndKeepsTimeAndMemory) {
  out(0x40, 0x77);
  out(0x0b, 0x72);
  clock.advance(kSecond);
  rtc.reset();
  EXPECT_FALSE(irq.level);
  EXPECT_EQ(in(0x0b), 0x02);
  EXPECT_EQ(in(0x0c), 0x00);
  EXPECT_EQ(in(0x40), 0x77);
  EXPECT_EQ(in(0), 0x59);
}

TEST_F(RtcMc146818Test, ASavedClockGoesOnInAnotherWhereItStood) {
  clock.advance(kSecond / 4);
  out(0x0b, 0x12);
  auto saved = Archive::saving();
  rtc.transfer(saved);

  ManualClock later;
  later.advance(1000 * kSecond);
  WireProbe other_irq;
  RtcMc146818 other(other_irq.line(), later, 0);
  auto loaded = Archive::loading(saved.stream());
  other.transfer(loaded);
  ASSERT_TRUE(loaded.finish());
  later.advance(3 * kSecond / 4 - 1);
  EXPECT_FALSE(other_irq.level);
  later.advance(1);
  EXPECT_TRUE(other_irq.level);
  other.write(0, 0, 1);
  EXPECT_EQ(other.read(1, 1), 0x59u);
}

TEST_F(RtcMc146818Test, AnAbsurdBaseIsClamped) {
  RtcMc146818 early(Line(), clock, INT64_MIN), late(Line(), clock, INT64_MAX);
  early.write(0, 9, 1);
  late.write(0, 9, 1);
  EXPECT_EQ(early.read(1, 1), 0x70u);
  EXPECT_EQ(late.read(1, 1), 0x99u);
}

}  // namespace
}  // namespace kite
