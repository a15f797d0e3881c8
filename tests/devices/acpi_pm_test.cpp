#include "devices/platform/acpi_pm.h"

#include <gtest/gtest.h>

#include <vector>

#include "fake_cable.h"

namespace kite {
namespace {

class AcpiPmTest : public testing::Test {
 protected:
  u16 status() { return static_cast<u16>(chip.read(AcpiPm::kPm1aEvent, 2)); }
  u16 control() { return static_cast<u16>(chip.read(AcpiPm::kPm1aControl, 2)); }
  u32 timer() { return static_cast<u32>(chip.read(AcpiPm::kPmTimer, 4)); }
  void enable(u16 bits) { chip.write(AcpiPm::kPm1aEvent + 2, bits, 2); }

  WireProbe sci;
  ManualClock clock;
  std::vector<u8> sleeps;
  int wakes = 0;
  AcpiPm chip{sci.line(), clock, AcpiPm::TimerWidth::k24,
              [this](u8 sleep_type) { sleeps.push_back(sleep_type); }, [this] { ++wakes; }};
};

TEST_F(AcpiPmTest, TheTimerCounts3579545TicksASecond) {
  EXPECT_EQ(timer(), 0u);
  clock.advance(kSecond);
  EXPECT_EQ(timer(), 3'579'545u);
}

TEST_F(AcpiPmTest, ATwentyFourBitTimerWraps) {
  clock.advance(5 * kSecond);
  EXPECT_EQ(timer(), 5u * 3'579'545 - 0x100'0000);
}

TEST_F(AcpiPmTest, AThirtyTwoBitTimerDoesNotWrapThere) {
  AcpiPm wide(Line(), clock, AcpiPm::TimerWidth::k32, {});
  clock.advance(5 * kSecond);
  EXPECT_EQ(wide.read(AcpiPm::kPmTimer, 4), 5u * 3'579'545);
  clock.advance(1200 * kSecond);
  EXPECT_EQ(wide.read(AcpiPm::kPmTimer, 4), 1205ull * 3'579'545 - 0x1'0000'0000);
}

TEST_F(AcpiPmTest, TheTimerCannotBeWritten) {
  clock.advance(kSecond);
  chip.write(AcpiPm::kPmTimer, 0, 4);
  EXPECT_EQ(timer(), 3'579'545u);
}

// Bit 23 of the timer first changes after 2^23 ticks: 2.3435 s.
TEST_F(AcpiPmTest, ChangingTheHighestBitSetsTimerStatusInBothDirections) {
  clock.advance(2343 * kMillisecond);
  EXPECT_EQ(status(), 0);
  clock.advance(kMillisecond);
  EXPECT_EQ(status(), 1);
  chip.write(AcpiPm::kPm1aEvent, 1, 2);
  EXPECT_EQ(status(), 0);
  clock.advance(2344 * kMillisecond);
  EXPECT_EQ(status(), 1);
}

TEST_F(AcpiPmTest, TheTimerOverflowInterruptsWhenEnabled) {
  enable(1);
  clock.advance(2343 * kMillisecond);
  EXPECT_FALSE(sci.level);
  clock.advance(kMillisecond);
  EXPECT_TRUE(sci.level);
  chip.write(AcpiPm::kPm1aEvent, 1, 2);
  EXPECT_FALSE(sci.level);
  clock.advance(20 * kSecond);
  EXPECT_TRUE(sci.level);
  EXPECT_EQ(sci.rises, 2);
}

TEST_F(AcpiPmTest, AnInterruptAlreadyPendingIsRaisedWhenEnabled) {
  clock.advance(3 * kSecond);
  EXPECT_FALSE(sci.level);
  enable(1);
  EXPECT_TRUE(sci.level);
}

TEST_F(AcpiPmTest, TheMachineIsAlwaysInAcpiMode) {
  EXPECT_EQ(control(), 1);
  chip.write(AcpiPm::kPm1aControl, 0, 2);
  EXPECT_EQ(control(), 1);
}

TEST_F(AcpiPmTest, SettingSleepEnableReportsTheSleepTypeOnce) {
  chip.write(AcpiPm::kPm1aControl, 5 << 10, 2);
  EXPECT_TRUE(sleeps.empty());
  chip.write(AcpiPm::kPm1aControl, (5 << 10) | (1 << 13), 2);
  EXPECT_EQ(sleeps, std::vector<u8>{5});
  EXPECT_EQ(control(), (5 << 10) | 1);
}

TEST_F(AcpiPmTest, SleepEnableWorksFromAByteAccess) {
  chip.write(AcpiPm::kPm1aControl + 1, 0x34, 1);
  EXPECT_EQ(sleeps, std::vector<u8>{5});
}

TEST_F(AcpiPmTest, AnAlarmThatIsEnabledEndsASleepOnce) {
  enable(0x400);
  chip.write(AcpiPm::kPm1aControl, 0x2400, 2);
  EXPECT_EQ(sleeps, std::vector<u8>{1});
  EXPECT_EQ(wakes, 0);
  chip.set_rtc(true);
  EXPECT_EQ(wakes, 1);
  chip.set_rtc(false);
  chip.set_rtc(true);
  EXPECT_EQ(wakes, 1);
  chip.reset_after_sleep();
  EXPECT_EQ(status(), 0x8400) << "WAK_STS, and what it was";
  EXPECT_EQ(chip.read(AcpiPm::kPm1aEvent + 2, 2), 0u);
  EXPECT_FALSE(sci.level);
  chip.write(AcpiPm::kPm1aEvent, 0x8400, 2);
  EXPECT_EQ(status(), 0);
}

TEST_F(AcpiPmTest, AnEventThatIsNotEnabledDoesNotWake) {
  enable(0x100);
  chip.write(AcpiPm::kPm1aControl, 0x2400, 2);
  chip.set_rtc(true);
  EXPECT_EQ(wakes, 0);
  chip.press_power_button();
  EXPECT_EQ(wakes, 1);
}

TEST_F(AcpiPmTest, AnAlarmJustBeforeTheSleepEndsIt) {
  enable(0x400);
  chip.set_rtc(true);
  EXPECT_EQ(wakes, 0);
  chip.write(AcpiPm::kPm1aControl, 0x2400, 2);
  EXPECT_EQ(sleeps, std::vector<u8>{1});
  EXPECT_EQ(wakes, 1);
}

TEST_F(AcpiPmTest, OnlySuspendToRamIsASleepThatEnds) {
  enable(0x400);
  chip.write(AcpiPm::kPm1aControl, (5 << 10) | (1 << 13), 2);
  chip.set_rtc(true);
  EXPECT_EQ(wakes, 0);
  EXPECT_TRUE(sci.level) << "awake it is an interrupt";
  chip.reset();
  EXPECT_EQ(status(), 0);
}

TEST_F(AcpiPmTest, ThePowerButtonInterrupts) {
  enable(0x100);
  chip.press_power_button();
  EXPECT_EQ(status(), 0x100);
  EXPECT_TRUE(sci.level);
  chip.write(AcpiPm::kPm1aEvent + 1, 0x01, 1);
  EXPECT_FALSE(sci.level);
}

TEST_F(AcpiPmTest, TheSleepButtonIsAnEventOfItsOwn) {
  enable(0x100);
  chip.press_sleep_button();
  EXPECT_EQ(status(), 0x200);
  EXPECT_FALSE(sci.level);
}

TEST_F(AcpiPmTest, OnlyEnablesThatExistStick) {
  enable(0xffff);
  EXPECT_EQ(chip.read(AcpiPm::kPm1aEvent + 2, 2), 0x0721u);
}

TEST_F(AcpiPmTest, AGeneralPurposeEventInterruptsWhileEnabled) {
  chip.raise_gpe(9);
  EXPECT_FALSE(sci.level);
  chip.write(AcpiPm::kGpe0 + 2, 0x0200, 2);
  EXPECT_TRUE(sci.level);
  EXPECT_EQ(chip.read(AcpiPm::kGpe0, 4), 0x0200'0200u);
  chip.write(AcpiPm::kGpe0, 0x0200, 2);
  EXPECT_FALSE(sci.level);
  chip.raise_gpe(99);
  EXPECT_EQ(chip.read(AcpiPm::kGpe0, 2), 0u);
}

TEST_F(AcpiPmTest, ResetClearsEverythingAndRestartsTheTimer) {
  enable(0x101);
  chip.press_power_button();
  clock.advance(kSecond);
  chip.reset();
  EXPECT_FALSE(sci.level);
  EXPECT_EQ(status(), 0);
  EXPECT_EQ(timer(), 0u);
}

TEST_F(AcpiPmTest, ASavedChipGoesOnInAnother) {
  clock.advance(2 * kSecond);
  enable(1);
  auto saved = Archive::saving();
  chip.transfer(saved);

  ManualClock later;
  later.advance(100 * kSecond);
  WireProbe other_sci;
  AcpiPm other(other_sci.line(), later, AcpiPm::TimerWidth::k24, {});
  auto loaded = Archive::loading(saved.stream());
  other.transfer(loaded);
  ASSERT_TRUE(loaded.finish());
  EXPECT_EQ(other.read(AcpiPm::kPmTimer, 4), 2u * 3'579'545);
  later.advance(344 * kMillisecond);
  EXPECT_TRUE(other_sci.level);
}

}  // namespace
}  // namespace kite
