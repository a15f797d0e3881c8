// PCI configuration space: mechanism #1, the 440FX's PAM registers, the PIIX3's interrupt routing.
#include <gtest/gtest.h>

#include "devices/pci/host_bridge_82441fx.h"
#include "devices/pci/isa_bridge_82371sb.h"
#include "devices/pci/pci_host.h"
#include "devices/pci/piix_functions.h"
#include "tests/devices/probes.h"

namespace kite::test {
namespace {

struct ByteProbe : IoHandler {
  u64 value = 0x5a;
  u64 read(u64, unsigned) override { return value; }
  void write(u64, u64 written, unsigned) override { value = written; }
};

struct PciHostTest : testing::Test {
  ByteProbe reset_register;
  PciHost host{&reset_register};
  PiixIde ide;
  PciHostTest() { host.plug(1, 1, ide); }

  void select(u32 address) { host.address_ports().write(0, address, 4); }
  u64 read(u64 offset, unsigned size) { return host.data_ports().read(offset, size); }
};

TEST_F(PciHostTest, ADoubleWordSelectsAndTheDataPortReadsAnyPartOfIt) {
  select(0x80000900);
  EXPECT_EQ(host.address_ports().read(0, 4), 0x80000900u);
  EXPECT_EQ(read(0, 4), 0x70108086u);
  EXPECT_EQ(read(2, 2), 0x7010u);
  EXPECT_EQ(read(3, 1), 0x70u);
}

TEST_F(PciHostTest, NobodyThereReadsAllOnes) {
  for (const u32 address : {0x80000800u, 0x80010900u, 0x00000900u}) {
    select(address);
    EXPECT_EQ(read(0, 4), 0xffffffffu) << std::hex << address;
    EXPECT_EQ(read(0, 1), 0xffu);
    host.data_ports().write(0, 0, 4);
  }
}

TEST_F(PciHostTest, NarrowAccessesGoToTheResetRegisterAndLeaveTheAddressAlone) {
  select(0x80000904);
  host.address_ports().write(1, 0x06, 1);
  EXPECT_EQ(reset_register.value, 0x06u);
  EXPECT_EQ(host.address_ports().read(1, 1), 0x06u);
  EXPECT_EQ(host.address_ports().read(0, 1), 0xffu);
  EXPECT_EQ(host.address_ports().read(0, 4), 0x80000904u);
}

TEST_F(PciHostTest, IdentityIsReadOnlyAndCommandKeepsWhatThereIs) {
  select(0x80000900);
  host.data_ports().write(0, 0, 4);
  EXPECT_EQ(read(0, 4), 0x70108086u);
  select(0x80000904);
  host.data_ports().write(0, 0xffff, 2);
  EXPECT_EQ(read(0, 4), 0x02000001u);
  select(0x80000920);  // BAR 4: there is no bus master
  host.data_ports().write(0, 0xffffffff, 4);
  EXPECT_EQ(read(0, 4), 0u);
}

TEST_F(PciHostTest, ResetAndASavedState) {
  select(0x80000904);
  host.data_ports().write(0, 1, 2);
  PiixIde other;
  EXPECT_TRUE(restore(other, saved(ide)));
  EXPECT_EQ(other.read_config(4, 2), 1u);
  ide.reset();
  EXPECT_EQ(ide.read_config(4, 2), 0u);
  host.reset();
  EXPECT_EQ(host.address_ports().read(0, 4), 0u);
}

struct Pam : testing::Test {
  using Bridge = HostBridge82441fx;
  std::vector<Bridge::Segments> seen;
  Bridge bridge{[this](const Bridge::Segments& segments) { seen.push_back(segments); }, false};
};

TEST_F(Pam, EachNibbleIsASegmentAndPam0TheBios) {
  bridge.write_config(0x5a, 0x31, 1);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0][0], Bridge::kReadRam);
  EXPECT_EQ(seen[0][1], Bridge::kRam);
  EXPECT_EQ(seen[0][2], Bridge::kRom);
  bridge.write_config(0x59, 0x20, 1);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1][12], Bridge::kWriteRam);
  bridge.write_config(0x5f, 0x20, 1);
  EXPECT_EQ(seen.back()[11], Bridge::kWriteRam);
}

TEST_F(Pam, OnlyChangesAreTold) {
  bridge.write_config(0x59, 0xcf, 1);  // reserved bits
  EXPECT_EQ(bridge.read_config(0x59, 1), 0u);
  EXPECT_TRUE(seen.empty());
  bridge.write_config(0x58, 0x33333030, 4);
  EXPECT_EQ(seen.size(), 1u);
  bridge.write_config(0x58, 0x33333030, 4);
  EXPECT_EQ(seen.size(), 1u);
}

TEST_F(Pam, ResetBringsTheRomBack) {
  bridge.write_config(0x59, 0x30, 1);
  bridge.reset();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1], Bridge::Segments{});
  bridge.reset();
  EXPECT_EQ(seen.size(), 2u);
}

TEST_F(Pam, ASavedStateIsMapped) {
  bridge.write_config(0x59, 0x30, 1);
  Bridge::Segments told{};
  Bridge other([&](const Bridge::Segments& segments) { told = segments; }, false);
  EXPECT_TRUE(restore(other, saved(bridge)));
  EXPECT_EQ(told[12], Bridge::kRam);
}

TEST(Pam82441fx, WithoutFirmwareEverythingIsRam) {
  HostBridge82441fx bridge({}, true);
  for (const auto access : bridge.segments()) EXPECT_EQ(access, HostBridge82441fx::kRam);
}

TEST_F(Pam, SystemManagementMemoryStaysClosed) {
  bridge.write_config(0x72, 0x4a, 1);
  EXPECT_EQ(bridge.read_config(0x72, 1), 0x02u);
}

struct Pirq : testing::Test {
  std::array<WireProbe, 16> wires;
  IsaBridge82371sb bridge{lines()};
  IsaBridge82371sb::Irqs lines() {
    IsaBridge82371sb::Irqs irqs;
    for (unsigned i = 0; i < irqs.size(); ++i) irqs[i] = wires[i].line();
    return irqs;
  }
  void route(u8 pirq, u8 value) { bridge.write_config(static_cast<u8>(0x60 + pirq), value, 1); }
};

TEST_F(Pirq, GoesWhereItsRegisterSays) {
  bridge.set_pirq(0, 3, true);
  for (const auto& wire : wires) EXPECT_FALSE(wire.level);
  route(0, 11);
  EXPECT_TRUE(wires[11].level);
  route(0, 10);
  EXPECT_FALSE(wires[11].level);
  EXPECT_TRUE(wires[10].level);
  route(0, 0x8a);
  EXPECT_FALSE(wires[10].level);
}

TEST_F(Pirq, AWireIsHighAsLongAsAnyOfItsSources) {
  route(0, 11);
  route(1, 11);
  bridge.set_pirq(0, 0, true);
  bridge.set_pirq(0, 1, true);
  bridge.set_pirq(1, 0, true);
  bridge.set_pirq(0, 0, false);
  bridge.set_pirq(0, 1, false);
  EXPECT_TRUE(wires[11].level);
  EXPECT_EQ(wires[11].rises, 1);
  bridge.set_pirq(1, 0, false);
  EXPECT_FALSE(wires[11].level);
}

TEST_F(Pirq, ReservedRoutesAndWiresLeadNowhere) {
  bridge.set_pirq(2, 0, true);
  for (u8 irq : {0, 1, 2, 8, 13}) {
    route(2, irq);
    EXPECT_FALSE(wires[irq].level) << int{irq};
  }
  bridge.set_pirq(4, 0, true);
  bridge.set_pirq(0, 32, true);
}

TEST_F(Pirq, ResetDisablesTheRoutes) {
  route(3, 5);
  bridge.set_pirq(3, 0, true);
  bridge.reset();
  EXPECT_FALSE(wires[5].level);
  EXPECT_EQ(bridge.read_config(0x60, 4), 0x80808080u);
}

TEST(Piix4PowerManagement, SaysWhereItsRegistersAreAndThatSmiIsSetUp) {
  Piix4PowerManagement pm(0x600, 9);
  pm.write_config(0x40, 0xb001, 4);
  EXPECT_EQ(pm.read_config(0x40, 4), 0x601u);
  EXPECT_EQ(pm.read_config(0x58, 4), 0x02000000u);
  EXPECT_EQ(pm.read_config(0x3c, 2), 0x0109u);
}

}  // namespace
}  // namespace kite::test
