#include "devices/input/i8042.h"

#include <gtest/gtest.h>

#include "fake_cable.h"

namespace kite {
namespace {

class I8042Test : public testing::Test {
 protected:
  u8 status() { return static_cast<u8>(chip.command_port().read(0, 1)); }
  u8 data() { return static_cast<u8>(chip.data_port().read(0, 1)); }
  void command(u8 value) { chip.command_port().write(0, value, 1); }
  void write(u8 value) { chip.data_port().write(0, value, 1); }
  void write_command_byte(u8 value) {
    command(0x60);
    write(value);
  }

  WireProbe irq1, irq12, a20;
  int resets = 0;
  I8042 chip{{irq1.line(), irq12.line(), a20.line(), [this] { ++resets; }}};
};

TEST_F(I8042Test, StartsEmptyUnlockedAndTested) {
  EXPECT_EQ(status(), 0x14);
}

TEST_F(I8042Test, SelfTestAnswers55AndDisablesBothPorts) {
  command(0xaa);
  EXPECT_EQ(status() & 0x01, 0x01);
  EXPECT_EQ(data(), 0x55);
  EXPECT_EQ(status() & 0x01, 0x00);
  command(0x20);
  EXPECT_EQ(data() & 0x34, 0x34);
}

TEST_F(I8042Test, BothPortTestsPass) {
  command(0xab);
  EXPECT_EQ(data(), 0x00);
  command(0xa9);
  EXPECT_EQ(data(), 0x00);
}

TEST_F(I8042Test, TheCommandByteIsReadBack) {
  write_command_byte(0x47);
  command(0x20);
  EXPECT_EQ(data(), 0x47);
}

TEST_F(I8042Test, TheSystemFlagFollowsTheCommandByte) {
  write_command_byte(0x00);
  EXPECT_EQ(status() & 0x04, 0x00);
  write_command_byte(0x04);
  EXPECT_EQ(status() & 0x04, 0x04);
}

TEST_F(I8042Test, PortCommandsShowInTheCommandByte) {
  write_command_byte(0x00);
  command(0xad);
  command(0xa7);
  command(0x20);
  EXPECT_EQ(data(), 0x30);
  command(0xae);
  command(0xa8);
  command(0x20);
  EXPECT_EQ(data(), 0x00);
}

TEST_F(I8042Test, ControllerMemoryIsReadBack) {
  command(0x7f);
  write(0xab);
  command(0x3f);
  EXPECT_EQ(data(), 0xab);
}

TEST_F(I8042Test, TheStatusTellsCommandsFromData) {
  command(0xa8);
  EXPECT_EQ(status() & 0x08, 0x08);
  write(0x00);
  EXPECT_EQ(status() & 0x08, 0x00);
}

TEST_F(I8042Test, AKeyboardThatIsNotThereTimesOut) {
  write_command_byte(0x01);
  write(0xf2);
  EXPECT_EQ(status() & 0x61, 0x41);
  EXPECT_TRUE(irq1.level);
  EXPECT_EQ(data(), 0xfe);
  EXPECT_EQ(status() & 0x41, 0x00);
  EXPECT_FALSE(irq1.level);
}

TEST_F(I8042Test, AMouseThatIsNotThereTimesOut) {
  write_command_byte(0x02);
  command(0xd4);
  write(0xff);
  EXPECT_EQ(status() & 0x61, 0x61);
  EXPECT_TRUE(irq12.level);
  EXPECT_FALSE(irq1.level);
  EXPECT_EQ(data(), 0xfe);
  EXPECT_FALSE(irq12.level);
}

TEST_F(I8042Test, TheOutputBuffersCanBeWrittenFromBothSides) {
  write_command_byte(0x03);
  command(0xd2);
  write(0x5a);
  EXPECT_EQ(status() & 0x21, 0x01);
  EXPECT_TRUE(irq1.level);
  EXPECT_EQ(data(), 0x5a);
  command(0xd3);
  write(0xa5);
  EXPECT_EQ(status() & 0x21, 0x21);
  EXPECT_TRUE(irq12.level);
  EXPECT_EQ(data(), 0xa5);
}

TEST_F(I8042Test, WithoutTheEnableBitsThereAreNoInterrupts) {
  write_command_byte(0x00);
  command(0xaa);
  write(0xed);
  EXPECT_EQ(irq1.rises, 0);
  EXPECT_EQ(irq12.rises, 0);
}

TEST_F(I8042Test, TheOutputPortDrivesA20) {
  command(0xd1);
  write(0xdd);
  EXPECT_FALSE(a20.level);
  command(0xd0);
  EXPECT_EQ(data() & 0x03, 0x01);
  command(0xd1);
  write(0xdf);
  EXPECT_TRUE(a20.level);
  command(0xdd);
  EXPECT_FALSE(a20.level);
  command(0xdf);
  EXPECT_TRUE(a20.level);
  EXPECT_EQ(resets, 0);
}

TEST_F(I8042Test, TheResetLineIsPulledByPulseAndByOutputPort) {
  command(0xfe);
  EXPECT_EQ(resets, 1);
  command(0xff);
  EXPECT_EQ(resets, 1);
  command(0xd1);
  write(0x02);
  EXPECT_EQ(resets, 2);
}

TEST_F(I8042Test, ACommandReplacesOneThatWaitsForItsArgument) {
  command(0xd1);
  command(0x60);
  write(0x47);
  command(0x20);
  EXPECT_EQ(data(), 0x47);
  EXPECT_EQ(resets, 0);
}

TEST_F(I8042Test, TheInputPortSaysTheKeyboardIsNotLocked) {
  command(0xc0);
  EXPECT_EQ(data() & 0x80, 0x80);
}

TEST_F(I8042Test, UnknownCommandsAreIgnored) {
  command(0x05);
  EXPECT_EQ(status() & 0x01, 0x00);
}

TEST_F(I8042Test, ResetDropsWhatWasPendingAndOpensA20) {
  write_command_byte(0x01);
  command(0xdd);
  write(0xf2);
  chip.reset();
  EXPECT_EQ(status(), 0x14);
  EXPECT_FALSE(irq1.level);
  EXPECT_TRUE(a20.level);
}

TEST_F(I8042Test, ASavedControllerGoesOnInAnother) {
  write_command_byte(0x45);
  command(0xdd);
  command(0xd2);
  write(0x33);
  auto saved = Archive::saving();
  chip.transfer(saved);

  WireProbe other_irq, other_a20;
  other_a20.level = true;
  I8042 other({other_irq.line(), Line(), other_a20.line(), {}});
  auto loaded = Archive::loading(saved.stream());
  other.transfer(loaded);
  ASSERT_TRUE(loaded.finish());
  EXPECT_TRUE(other_irq.level);
  EXPECT_FALSE(other_a20.level);
  EXPECT_EQ(other.data_port().read(0, 1), 0x33u);
}

}  // namespace
}  // namespace kite
