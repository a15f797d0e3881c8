// Where the local APICs' registers are seen. What each processor finds there is for guests to see;
// this is a bus master's view.
#include <gtest/gtest.h>

#include "machine/processor.h"
#include "memory/backend.h"
#include "tests/devices/probes.h"

namespace kite {
namespace {

class LocalApicWindowTest : public testing::Test {
 protected:
  static constexpr Gpa kHome = LocalApic::kDefaultBase, kElsewhere = 0xFED40000, kInRam = 0x5000;
  static constexpr u64 kEnabled = 0x800;

  LocalApicWindowTest() {
    interrupts.chips.bus = &bus;
    AddressSpace::Edit edit(memory);
    edit.map({.size = ram.size(), .region = Region::ram("ram", ram)});
    edit.map({.start = kHome,
              .size = LocalApic::kSize,
              .region = Region::mmio("home", LocalApic::kSize, window)});
  }
  std::string_view seen_at(Gpa address) {
    const auto view = memory.view();
    const FlatRange* range = view->find(address);
    return range ? std::string_view(range->region->name()) : "nothing";
  }

  ManualClock clock;
  ApicBus bus;
  test::WiringProbe wiring[2];
  LocalApic first{{.apic_id = 0, .bootstrap = true}, clock, bus, wiring[0]};
  LocalApic second{{.apic_id = 1}, clock, bus, wiring[1]};
  HostMemory ram = std::move(*allocate(*parse_backend("ram,size=1M")));
  AddressSpace memory;
  BoardInterrupts interrupts;
  LocalApicWindow window{memory, kHome, {&first, &second}, interrupts};
};

TEST_F(LocalApicWindowTest, FollowsTheBaseAndShowsWhatItHidAgain) {
  memory.write_value(kInRam, 0x4711, 4);
  window.moved(0, kInRam | kEnabled);
  EXPECT_EQ(seen_at(kInRam), "local-apic");
  EXPECT_EQ(memory.read_value(kInRam, 4), 0xFFFFFFFFu);  // no processor: nobody is there
  memory.write_value(kInRam, 1, 4);
  window.moved(0, kElsewhere | kEnabled);
  EXPECT_EQ(seen_at(kInRam), "ram");
  EXPECT_EQ(memory.read_value(kInRam, 4), 0x4711u);
  EXPECT_EQ(seen_at(kElsewhere), "local-apic");
  EXPECT_EQ(seen_at(kHome), "home");
  window.moved(0, kHome | kEnabled);
  EXPECT_EQ(seen_at(kElsewhere), "nothing");
  window.moved(7, kElsewhere);  // there is no such processor
  EXPECT_EQ(seen_at(kElsewhere), "nothing");
}

TEST_F(LocalApicWindowTest, StaysWhileOneOfTwoProcessorsHasItThere) {
  window.moved(0, kElsewhere | kEnabled);
  window.moved(1, kElsewhere);
  window.moved(0, kHome | kEnabled);
  EXPECT_EQ(seen_at(kElsewhere), "local-apic");
  window.moved(1, kHome);
  EXPECT_EQ(seen_at(kElsewhere), "nothing");
}

TEST_F(LocalApicWindowTest, ALocalApicTellsItsNewBaseAndAtResetItsOldOne) {
  EXPECT_TRUE(first.write_msr(0x1B, kElsewhere | kEnabled | 0x100));
  EXPECT_EQ(wiring[0].base, kElsewhere | kEnabled | 0x100);
  first.reset();
  EXPECT_EQ(wiring[0].base, kHome | kEnabled | 0x100);
}

}  // namespace
}  // namespace kite
