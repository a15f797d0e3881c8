#include "devices/irq/io_apic.h"

#include <gtest/gtest.h>

#include "tests/devices/probes.h"

namespace kite {
namespace {

class IoApicTest : public testing::Test {
 protected:
  test::BusProbe bus;
  IoApic io{2, IoApic::Version::k20, bus};

  u32 get(u8 index) {
    io.write(0x00, index, 4);
    return static_cast<u32>(io.read(0x10, 4));
  }
  void set(u8 index, u32 value) {
    io.write(0x00, index, 4);
    io.write(0x10, value, 4);
  }
  void route(unsigned input, u32 low, u32 high = 0) {
    set(static_cast<u8>(0x11 + 2 * input), high);
    set(static_cast<u8>(0x10 + 2 * input), low);
  }
  static constexpr u32 kLevel = 1u << 15, kMasked = 1u << 16, kRemoteIrr = 1u << 14;
};

TEST_F(IoApicTest, IdentifiesItselfWithVersionAnd24Inputs) {
  EXPECT_EQ(get(1), 0x00170020u);
  IoApic old(0, IoApic::Version::k11, bus);
  old.write(0, 1, 4);
  EXPECT_EQ(old.read(0x10, 4), 0x00170011u);
}

TEST_F(IoApicTest, KeepsFourBitsOfId) {
  EXPECT_EQ(get(0), 0x02000000u);
  set(0, 0xFFFFFFFF);
  EXPECT_EQ(get(0), 0x0F000000u);
  EXPECT_EQ(get(2), 0x0F000000u);
}

TEST_F(IoApicTest, EveryInputIsMaskedAfterReset) {
  route(4, 0x30);
  io.reset();
  for (u8 i = 0; i < 24; ++i) EXPECT_EQ(get(static_cast<u8>(0x10 + 2 * i)), kMasked);
  EXPECT_EQ(get(0), 0x02000000u);
}

TEST_F(IoApicTest, ARisingEdgeSendsOneMessageWithTheEntrysFields) {
  route(4, 0x0931, 0x03000000);  // logical, lowest priority
  io.set_irq(4, true);
  io.set_irq(4, true);
  ASSERT_EQ(bus.messages.size(), 1u);
  const InterruptMessage& message = bus.messages[0];
  EXPECT_EQ(message.vector, 0x31);
  EXPECT_EQ(message.destination, 3u);
  EXPECT_TRUE(message.logical);
  EXPECT_FALSE(message.wide);
  EXPECT_EQ(message.mode, DeliveryMode::kLowestPriority);
  EXPECT_FALSE(message.level_triggered);
  io.set_irq(4, false);
  io.set_irq(4, true);
  EXPECT_EQ(bus.messages.size(), 2u);
}

TEST_F(IoApicTest, AnEdgeOnAMaskedInputIsLost) {
  route(4, kMasked | 0x31);
  io.set_irq(4, true);
  route(4, 0x31);
  EXPECT_TRUE(bus.messages.empty());
}

TEST_F(IoApicTest, ALevelInterruptWaitsForItsEoiAndComesAgainWhileTheWireIsUp) {
  route(10, kLevel | 0x41);
  io.set_irq(10, true);
  ASSERT_EQ(bus.messages.size(), 1u);
  EXPECT_TRUE(bus.messages[0].level_triggered);
  EXPECT_EQ(get(0x10 + 20), kLevel | kRemoteIrr | 0x41);
  io.set_irq(10, false);
  io.set_irq(10, true);
  EXPECT_EQ(bus.messages.size(), 1u);
  io.eoi(0x40);
  EXPECT_EQ(bus.messages.size(), 1u);
  io.eoi(0x41);
  EXPECT_EQ(bus.messages.size(), 2u);
  io.set_irq(10, false);
  io.eoi(0x41);
  EXPECT_EQ(bus.messages.size(), 2u);
  EXPECT_EQ(get(0x10 + 20), kLevel | 0x41);
}

TEST_F(IoApicTest, ALevelInterruptThatWasMaskedComesWhenItIsUnmasked) {
  route(10, kMasked | kLevel | 0x41);
  io.set_irq(10, true);
  EXPECT_TRUE(bus.messages.empty());
  route(10, kLevel | 0x41);
  EXPECT_EQ(bus.messages.size(), 1u);
}

TEST_F(IoApicTest, TheEoiRegisterExistsFromVersion20On) {
  route(10, kLevel | 0x41);
  io.set_irq(10, true);
  io.write(0x40, 0x41, 4);
  EXPECT_EQ(bus.messages.size(), 2u);

  IoApic old(0, IoApic::Version::k11, bus);
  old.write(0, 0x10, 4);
  old.write(0x10, kLevel | 0x41, 4);
  old.set_irq(0, true);
  old.write(0x40, 0x41, 4);
  EXPECT_EQ(bus.messages.size(), 3u);
}

TEST_F(IoApicTest, LinuxEndsALevelInterruptByASwitchToEdgeAndBack) {
  // arch/x86/kernel/apic/io_apic.c, __eoi_ioapic_pin().
  route(10, kLevel | 0x41);
  io.set_irq(10, true);
  io.set_irq(10, false);
  route(10, kMasked | 0x41);
  EXPECT_EQ(get(0x10 + 20), kMasked | 0x41);
  route(10, kLevel | 0x41);
  io.set_irq(10, true);
  EXPECT_EQ(bus.messages.size(), 2u);
}

TEST_F(IoApicTest, StatusBitsAreReadOnly) {
  route(3, kLevel | kMasked | kRemoteIrr | 1u << 12 | 0x50);
  EXPECT_EQ(get(0x16), kLevel | kMasked | 0x50);
  set(0x17, 0xFFFFFFFF);
  EXPECT_EQ(get(0x17), 0xFF000000u);
}

TEST_F(IoApicTest, ALevelInterruptNobodyTakesHasNoRemoteIrrAndIsOfferedAgain) {
  bus.accepts = false;
  route(10, kLevel | 0x41);
  io.set_irq(10, true);
  EXPECT_EQ(get(0x10 + 20), kLevel | 0x41);
  bus.accepts = true;
  io.set_irq(10, true);
  EXPECT_EQ(get(0x10 + 20), kLevel | kRemoteIrr | 0x41);
}

TEST_F(IoApicTest, NmiAndInitAreEdgesWhateverTheTriggerModeSays) {
  route(5, kLevel | 0x400);
  io.set_irq(5, true);
  ASSERT_EQ(bus.messages.size(), 1u);
  EXPECT_EQ(bus.messages[0].mode, DeliveryMode::kNmi);
  EXPECT_FALSE(bus.messages[0].level_triggered);
  EXPECT_EQ(get(0x10 + 10) & kRemoteIrr, 0u);
}

TEST_F(IoApicTest, RegistersAndInputsThatDoNotExistAreHarmless) {
  EXPECT_EQ(get(0x03), 0u);
  EXPECT_EQ(get(0x40), 0u);
  EXPECT_EQ(get(0xFF), 0u);
  set(0x40, 0xFFFFFFFF);
  set(0xFF, 0xFFFFFFFF);
  io.set_irq(24, true);
  io.set_irq(~0u, true);
  EXPECT_TRUE(bus.messages.empty());
}

TEST_F(IoApicTest, ASavedStateGoesOnElsewhere) {
  route(10, kLevel | 0x41);
  io.set_irq(10, true);
  IoApic other(7, IoApic::Version::k20, bus);
  ASSERT_TRUE(test::restore(other, test::saved(io)));
  other.eoi(0x41);
  EXPECT_EQ(bus.messages.size(), 2u);
  EXPECT_EQ(test::saved(other), test::saved(io));
}

TEST(MessageOfMsi, ReadsAddressAndData) {
  const InterruptMessage fixed = message_of_msi(0xFEE05000, 0x4041);
  EXPECT_EQ(fixed.destination, 5u);
  EXPECT_FALSE(fixed.logical);
  EXPECT_EQ(fixed.vector, 0x41);
  EXPECT_EQ(fixed.mode, DeliveryMode::kFixed);
  const InterruptMessage lowest = message_of_msi(0xFEE0300C, 0x0141);
  EXPECT_TRUE(lowest.logical);
  EXPECT_EQ(lowest.mode, DeliveryMode::kLowestPriority);
  EXPECT_TRUE(message_of_msi(0xFEE00000, 0xC041).level_triggered);
}

}  // namespace
}  // namespace kite
