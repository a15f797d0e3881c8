#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "devices/platform/debug_console.h"
#include "devices/platform/exit_port.h"
#include "devices/platform/port_92.h"
#include "devices/platform/pvpanic.h"
#include "devices/platform/reset_register.h"
#include "devices/platform/test_device.h"
#include "devices/registry.h"
#include "fake_cable.h"

namespace kite {
namespace {

TEST(ResetRegister, TheRisingEdgeOfRstCpuResets) {
  int resets = 0;
  ResetRegister chip([&] { ++resets; });
  chip.write(0, 0x02, 1);  // Linux's way: SYS_RST first, then both
  EXPECT_EQ(resets, 0);
  chip.write(0, 0x06, 1);
  EXPECT_EQ(resets, 1);
  chip.write(0, 0x0e, 1);
  EXPECT_EQ(resets, 1);
  EXPECT_EQ(chip.read(0, 1), 0x0eu);
}

TEST(ResetRegister, TheFadtsValueResetsByItself) {
  int resets = 0;
  ResetRegister chip([&] { ++resets; });
  chip.write(0, ResetRegister::kResetValue, 1);
  EXPECT_EQ(resets, 1);
}

TEST(ResetRegister, ADoublewordAtItsPortIsPcisAndResetsNothing) {
  int resets = 0;
  ResetRegister chip([&] { ++resets; });
  IoHandler& ports = chip.config_address_ports();
  ports.write(0, 0x80000600, 4);
  ports.write(1, 0x0606, 2);
  EXPECT_EQ(resets, 0);
  EXPECT_EQ(ports.read(0, 4) & 0xffffffff, 0xffffffffu);
  ports.write(1, 0x06, 1);
  EXPECT_EQ(resets, 1);
  EXPECT_EQ(ports.read(1, 1), 0x06u);
}

TEST(ResetRegister, AfterAResetTheNextEdgeCountsAgain) {
  int resets = 0;
  ResetRegister chip([&] { ++resets; });
  chip.write(0, 0x06, 1);
  chip.reset();
  EXPECT_EQ(chip.read(0, 1), 0u);
  chip.write(0, 0x06, 1);
  EXPECT_EQ(resets, 2);
}

TEST(Port92, Bit1IsTheA20Gate) {
  WireProbe a20;
  Port92 chip(a20.line(), {});
  chip.write(0, 0x02, 1);
  EXPECT_TRUE(a20.level);
  EXPECT_EQ(chip.read(0, 1), 0x02u);
  chip.write(0, 0x00, 1);
  EXPECT_FALSE(a20.level);
}

TEST(Port92, TheRisingEdgeOfBit0Resets) {
  int resets = 0;
  Port92 chip(Line(), [&] { ++resets; });
  chip.write(0, 0x01, 1);
  chip.write(0, 0x01, 1);
  EXPECT_EQ(resets, 1);
  chip.write(0, 0x00, 1);
  chip.write(0, 0x01, 1);
  EXPECT_EQ(resets, 2);
}

TEST(Port92, ASavedGateGoesOnInAnother) {
  Port92 chip(Line(), {});
  chip.write(0, 0x02, 1);
  auto saved = Archive::saving();
  chip.transfer(saved);
  WireProbe a20;
  Port92 other(a20.line(), {});
  auto loaded = Archive::loading(saved.stream());
  other.transfer(loaded);
  EXPECT_TRUE(loaded.finish());
  EXPECT_TRUE(a20.level);
}

TEST(ExitPort, TheStatusIsTwiceTheValueAndOne) {
  std::vector<u32> statuses;
  ExitPort chip([&](u32 status) { statuses.push_back(status); });
  chip.write(0, 0, 1);
  chip.write(0, 0x10, 1);
  chip.write(0, 0xffff'ffff, 4);
  EXPECT_EQ(statuses, (std::vector<u32>{1, 0x21, 0xffff'ffff}));
  EXPECT_EQ(chip.read(0, 4), 0u);
}

TEST(Pvpanic, ReadingTellsTheEventsItKnows) {
  Pvpanic chip({});
  EXPECT_EQ(chip.read(0, 1), 0x03u);
}

TEST(Pvpanic, KnownEventsAreReportedAndOthersIgnored) {
  std::vector<u8> events;
  Pvpanic chip([&](u8 bits) { events.push_back(bits); });
  chip.write(0, 0x01, 1);
  chip.write(0, 0x02, 1);
  chip.write(0, 0xfc, 1);
  chip.write(0, 0xff, 1);
  EXPECT_EQ(events, (std::vector<u8>{1, 2, 3}));
}

TEST(TestDevice, TheRegisterKeepsEachByteWhateverTheWidth) {
  TestDevice chip({});
  chip.register_ports().write(0, 0x12345678, 4);
  chip.register_ports().write(2, 0xab, 1);
  EXPECT_EQ(chip.register_ports().read(0, 4), 0x12ab5678u);
  EXPECT_EQ(chip.register_ports().read(1, 2), 0xab56u);
  EXPECT_EQ(chip.flush_port().read(0, 4), 0u);
}

TEST(TestDevice, EachPortDrivesItsWire) {
  std::vector<std::pair<unsigned, bool>> seen;
  TestDevice chip([&](unsigned number, bool level) { seen.emplace_back(number, level); });
  chip.interrupt_ports().write(4, 1, 1);
  chip.interrupt_ports().write(23, 0x80, 1);
  chip.interrupt_ports().write(4, 0, 1);
  chip.interrupt_ports().write(24, 1, 1);  // there is no such wire
  EXPECT_EQ(seen, (std::vector<std::pair<unsigned, bool>>{{4, true}, {23, true}, {4, false}}));
}

TEST(TestDevice, ItsMemoryIsKeptByAStateAndClearedByAReset) {
  TestDevice chip({}), other({});
  chip.memory().write(TestDevice::kMemorySize - 8, 0x1122334455667788, 8);
  chip.register_ports().write(0, 5, 1);
  auto saved = Archive::saving();
  chip.transfer(saved);
  auto loaded = Archive::loading(saved.stream());
  other.transfer(loaded);
  EXPECT_TRUE(loaded.finish());
  EXPECT_EQ(other.memory().read(TestDevice::kMemorySize - 4, 4), 0x11223344u);
  EXPECT_EQ(other.register_ports().read(0, 1), 5u);
  other.reset();
  EXPECT_EQ(other.memory().read(TestDevice::kMemorySize - 4, 4), 0u);
  EXPECT_EQ(other.register_ports().read(0, 1), 0u);
}

TEST(DebugConsole, PrintsWhatIsWrittenAndIsRecognisedByE9) {
  FakeCable cable;
  DebugConsole chip(cable);
  for (char letter : std::string("hello")) chip.write(0, static_cast<u8>(letter), 1);
  EXPECT_EQ(cable.written, "hello");
  EXPECT_EQ(chip.read(0, 1), 0xe9u);
}

TEST(Registry, EveryDeviceHasANameABusAndADescriptionInOrder) {
  const auto kinds = device_kinds();
  ASSERT_FALSE(kinds.empty());
  for (const DeviceKind& kind : kinds) {
    EXPECT_FALSE(kind.name.empty());
    EXPECT_FALSE(kind.bus.empty());
    EXPECT_FALSE(kind.description.empty());
  }
  EXPECT_TRUE(std::is_sorted(kinds.begin(), kinds.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
}

}  // namespace
}  // namespace kite
