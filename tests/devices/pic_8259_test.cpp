#include "devices/irq/pic_8259.h"

#include <gtest/gtest.h>

#include "tests/devices/probes.h"

namespace kite {
namespace {

class Pic8259Test : public testing::Test {
 protected:
  test::WireProbe intr;
  Pic8259Pair pic{intr.line()};
  IoHandler& master = pic.master_ports();
  IoHandler& slave = pic.slave_ports();

  Pic8259Test() { initialize(0x01); }

  // As a PC's firmware and every kernel do it, with vectors 20h and 28h.
  void initialize(u8 icw4) {
    initialize_one(master, 0x20, 0x04, icw4);
    initialize_one(slave, 0x28, 0x02, icw4);
  }
  static void initialize_one(IoHandler& ports, u8 base, u8 wiring, u8 icw4) {
    ports.write(0, 0x11, 1);
    ports.write(1, base, 1);
    ports.write(1, wiring, 1);
    ports.write(1, icw4, 1);
  }
  u8 irr(IoHandler& ports) {
    ports.write(0, 0x0A, 1);
    return static_cast<u8>(ports.read(0, 1));
  }
  u8 isr(IoHandler& ports) {
    ports.write(0, 0x0B, 1);
    return static_cast<u8>(ports.read(0, 1));
  }
};

TEST_F(Pic8259Test, ARisingEdgeRaisesIntrAndGivesTheVector) {
  EXPECT_FALSE(pic.pending());
  pic.set_irq(1, true);
  EXPECT_TRUE(intr.level);
  EXPECT_TRUE(pic.pending());
  EXPECT_EQ(irr(master), 0x02);
  EXPECT_EQ(pic.acknowledge(), 0x21);
  EXPECT_FALSE(intr.level);
  EXPECT_EQ(irr(master), 0x00);
  EXPECT_EQ(isr(master), 0x02);
}

TEST_F(Pic8259Test, AnEdgeTriggeredInputThatStaysHighInterruptsOnce) {
  pic.set_irq(1, true);
  pic.acknowledge();
  master.write(0, 0x20, 1);
  EXPECT_FALSE(intr.level);
  pic.set_irq(1, false);
  pic.set_irq(1, true);
  EXPECT_TRUE(intr.level);
}

TEST_F(Pic8259Test, ALevelTriggeredInputThatStaysHighInterruptsAgainAfterEoi) {
  pic.elcr_ports().write(0, 0x20, 1);
  pic.set_irq(5, true);
  EXPECT_EQ(pic.acknowledge(), 0x25);
  EXPECT_FALSE(intr.level);
  master.write(0, 0x20, 1);
  EXPECT_TRUE(intr.level);
  pic.set_irq(5, false);
  EXPECT_FALSE(intr.level);
}

TEST_F(Pic8259Test, TheElcrKeepsTimerKeyboardCascadeRtcAndFpuOnEdges) {
  pic.elcr_ports().write(0, 0xFFFF, 2);
  EXPECT_EQ(pic.elcr_ports().read(0, 2), 0xDEF8u);
}

TEST_F(Pic8259Test, AMaskedInputWaitsInTheIrr) {
  master.write(1, 0xFF, 1);
  pic.set_irq(3, true);
  EXPECT_FALSE(intr.level);
  EXPECT_EQ(irr(master), 0x08);
  master.write(1, 0xF7, 1);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(master.read(1, 1), 0xF7u);
}

TEST_F(Pic8259Test, ALowerPriorityWaitsForTheEoiAndAHigherOneDoesNot) {
  pic.set_irq(3, true);
  EXPECT_EQ(pic.acknowledge(), 0x23);
  pic.set_irq(4, true);
  EXPECT_FALSE(intr.level);
  pic.set_irq(1, true);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x21);
  master.write(0, 0x20, 1);
  EXPECT_EQ(isr(master), 0x08);
  master.write(0, 0x20, 1);
  EXPECT_EQ(pic.acknowledge(), 0x24);
}

TEST_F(Pic8259Test, ARequestOfTheSlaveComesThroughTheCascade) {
  pic.set_irq(8, true);
  EXPECT_EQ(pic.acknowledge(), 0x28);
  EXPECT_EQ(isr(master), 0x04);
  EXPECT_EQ(isr(slave), 0x01);
  slave.write(0, 0x20, 1);
  master.write(0, 0x20, 1);
  EXPECT_EQ(isr(master), 0);
  EXPECT_EQ(isr(slave), 0);
}

TEST_F(Pic8259Test, AnotherRequestOfTheSlaveFollowsAfterBothEois) {
  pic.set_irq(12, true);
  pic.set_irq(14, true);
  EXPECT_EQ(pic.acknowledge(), 0x2C);
  slave.write(0, 0x20, 1);
  master.write(0, 0x20, 1);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x2E);
}

TEST_F(Pic8259Test, SpecialFullyNestedLetsAHigherRequestOfTheSlaveThrough) {
  pic.set_irq(12, true);
  pic.acknowledge();
  pic.set_irq(9, true);
  EXPECT_FALSE(intr.level);
  initialize_one(master, 0x20, 0x04, 0x11);
  initialize_one(slave, 0x28, 0x02, 0x01);
  pic.set_irq(12, false);
  pic.set_irq(9, false);
  pic.set_irq(12, true);
  EXPECT_EQ(pic.acknowledge(), 0x2C);
  pic.set_irq(9, true);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x29);
}

TEST_F(Pic8259Test, ARequestThatHasGoneGivesIrq7WithoutAnIsrBit) {
  pic.set_irq(3, true);
  pic.set_irq(3, false);
  EXPECT_FALSE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x27);
  EXPECT_EQ(isr(master), 0);
}

TEST(Pic8259Chip, ASlaveWhoseRequestHasGoneGivesIr7WithoutAnIsrBit) {
  // Between the two INTA pulses: the master has taken its IR2, the slave finds nothing: IRQ 15.
  Pic8259 chip(false);
  chip.set_line(3, true);
  EXPECT_TRUE(chip.interrupt());
  chip.set_line(3, false);
  EXPECT_EQ(chip.acknowledge(), 7u);
  chip.write(false, 0x0B);
  EXPECT_EQ(chip.read(false), 0);
}

TEST_F(Pic8259Test, AutomaticEoiLeavesNothingInService) {
  initialize(0x03);
  pic.set_irq(4, true);
  EXPECT_EQ(pic.acknowledge(), 0x24);
  EXPECT_EQ(isr(master), 0);
}

TEST_F(Pic8259Test, RotationInAutomaticEoiModeMakesTheServedInputTheLowest) {
  initialize(0x03);
  master.write(0, 0x80, 1);
  pic.set_irq(0, true);
  pic.acknowledge();
  pic.set_irq(0, false);
  pic.set_irq(0, true);
  pic.set_irq(1, true);
  EXPECT_EQ(pic.acknowledge(), 0x21);
  master.write(0, 0x00, 1);  // rotation off again
}

TEST_F(Pic8259Test, ASpecificEoiEndsTheNamedLevelOnly) {
  pic.set_irq(5, true);
  pic.acknowledge();
  pic.set_irq(3, true);
  pic.acknowledge();
  master.write(0, 0x65, 1);
  EXPECT_EQ(isr(master), 0x08);
}

TEST_F(Pic8259Test, RotateOnNonSpecificEoiMakesTheServedInputTheLowest) {
  pic.set_irq(0, true);
  pic.acknowledge();
  master.write(0, 0xA0, 1);
  pic.set_irq(0, false);
  pic.set_irq(0, true);
  pic.set_irq(7, true);
  EXPECT_EQ(pic.acknowledge(), 0x27);
}

TEST_F(Pic8259Test, RotateOnSpecificEoiAndSetPriorityChooseTheLowest) {
  pic.set_irq(0, true);
  pic.acknowledge();
  pic.set_irq(0, false);
  master.write(0, 0xE0, 1);
  pic.set_irq(0, true);
  pic.set_irq(6, true);
  EXPECT_EQ(pic.acknowledge(), 0x26);
  master.write(0, 0x66, 1);
  master.write(0, 0xC7, 1);  // IR7 lowest, so IR0 highest
  EXPECT_EQ(pic.acknowledge(), 0x20);
}

TEST_F(Pic8259Test, TheSpecialMaskModeLetsLowerPrioritiesThroughAMaskedOneInService) {
  pic.set_irq(3, true);
  pic.acknowledge();
  pic.set_irq(5, true);
  EXPECT_FALSE(intr.level);
  master.write(1, 0x08, 1);
  EXPECT_FALSE(intr.level);
  master.write(0, 0x68, 1);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x25);
  master.write(0, 0x20, 1);  // does not touch the masked IR3
  EXPECT_EQ(isr(master), 0x08);
  master.write(0, 0x48, 1);
}

TEST_F(Pic8259Test, APollTakesTheHighestRequestOrSaysThereIsNone) {
  master.write(0, 0x0C, 1);
  EXPECT_EQ(master.read(0, 1), 0x00u);
  pic.set_irq(6, true);
  master.write(0, 0x0C, 1);
  EXPECT_EQ(master.read(0, 1), 0x86u);
  EXPECT_FALSE(intr.level);
  EXPECT_EQ(isr(master), 0x40);
}

TEST_F(Pic8259Test, Icw1ForgetsMaskServiceAndEdges) {
  master.write(1, 0xF0, 1);
  pic.set_irq(1, true);
  pic.acknowledge();
  pic.set_irq(2, true);
  master.write(0, 0x11, 1);
  EXPECT_FALSE(intr.level);
  master.write(1, 0x40, 1);
  master.write(1, 0x04, 1);
  master.write(1, 0x01, 1);
  EXPECT_EQ(master.read(1, 1), 0u);
  EXPECT_EQ(isr(master), 0);
  pic.set_irq(1, false);
  pic.set_irq(1, true);
  EXPECT_EQ(pic.acknowledge(), 0x41);
}

TEST_F(Pic8259Test, ASingleChipWithoutIcw4IsReadyAfterIcw2) {
  master.write(0, 0x12, 1);
  master.write(1, 0x50, 1);
  master.write(1, 0xFE, 1);
  EXPECT_EQ(master.read(1, 1), 0xFEu);
  pic.set_irq(0, true);
  EXPECT_EQ(pic.acknowledge(), 0x50);
}

TEST_F(Pic8259Test, LinuxFindsItByWritingAndReadingTheMask) {
  // arch/x86/kernel/i8259.c, probe_8259A().
  slave.write(1, 0xFF, 1);
  master.write(1, 0xFB, 1);
  EXPECT_EQ(master.read(1, 1), 0xFBu);
}

TEST_F(Pic8259Test, ResetForgetsEverythingButTheWires) {
  pic.elcr_ports().write(0, 0x20, 1);
  pic.set_irq(5, true);
  pic.reset();
  EXPECT_FALSE(intr.level);
  EXPECT_EQ(pic.elcr_ports().read(0, 1), 0u);
  EXPECT_EQ(master.read(1, 1), 0u);
}

TEST_F(Pic8259Test, ASavedStateGoesOnElsewhere) {
  master.write(1, 0xF1, 1);
  pic.set_irq(1, true);
  pic.acknowledge();
  pic.set_irq(0, true);
  pic.set_irq(3, true);
  test::WireProbe other_intr;
  Pic8259Pair other(other_intr.line());
  ASSERT_TRUE(test::restore(other, test::saved(pic)));
  EXPECT_EQ(other_intr.level, intr.level);
  EXPECT_EQ(test::saved(other), test::saved(pic));
  other.master_ports().write(0, 0x20, 1);
  other.master_ports().write(1, 0x00, 1);
  EXPECT_EQ(other.acknowledge(), 0x20);
}

}  // namespace
}  // namespace kite
