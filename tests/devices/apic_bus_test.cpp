#include "devices/irq/apic_bus.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>

#include "devices/irq/io_apic.h"
#include "devices/irq/pic_8259.h"
#include "tests/devices/probes.h"

namespace kite {
namespace {

constexpr unsigned kProcessors = 4;

// Four processors on one bus with one I/O APIC.
class ApicBusTest : public testing::Test {
 protected:
  // EOIs go to the I/O APIC as on a board.
  struct Wiring : test::WiringProbe {
    IoApic* io = nullptr;
    void end_of_interrupt(u8 vector) override { io->eoi(vector); }
  };

  ManualClock clock;
  ApicBus bus;
  IoApic io{4, IoApic::Version::k20, bus};
  std::array<Wiring, kProcessors> wiring;
  std::vector<std::unique_ptr<LocalApic>> apics;

  ApicBusTest() {
    for (u32 id = 0; id < kProcessors; ++id) {
      wiring[id].io = &io;
      const LocalApicConfig config{.apic_id = id, .bootstrap = id == 0};
      apics.push_back(std::make_unique<LocalApic>(config, clock, bus, wiring[id]));
      bus.add(*apics.back());
      set(id, 0xF0, 0x1FF);
    }
  }
  void set(unsigned id, u64 offset, u32 value) { apics[id]->write(offset, value, 4); }
  void ipi(unsigned from, u32 low, u32 destination = 0) {
    set(from, 0x310, destination << 24);
    set(from, 0x300, low);
  }
  u32 id_of(unsigned id) { return static_cast<u32>(apics[id]->read(0x20, 4)); }
  void enter_x2apic() {
    for (auto& apic : apics) {
      u64 base = 0;
      apic->read_msr(0x1B, base);
      EXPECT_TRUE(apic->write_msr(0x1B, base | 0x400));
    }
  }
  // Which processors have an interrupt, as a bit mask; takes and ends them.
  unsigned take(u8 vector) {
    unsigned mask = 0;
    for (unsigned id = 0; id < kProcessors; ++id) {
      const auto taken = apics[id]->acknowledge();
      if (!taken) continue;
      EXPECT_EQ(*taken, vector);
      mask |= 1u << id;
      u64 base = 0;
      apics[id]->read_msr(0x1B, base);
      if (base & 0x400) {
        apics[id]->write_msr(0x80B, 0);
      } else {
        set(id, 0xB0, 0);
      }
    }
    return mask;
  }
};

TEST_F(ApicBusTest, AProcessorIsReachedByTheIdItHasGivenItself) {
  set(2, 0x20, 0x77u << 24);
  EXPECT_EQ(id_of(2), 0x77u << 24);
  ipi(0, 0x41, 2);
  EXPECT_EQ(take(0x41), 0u);
  ipi(0, 0x41, 0x77);
  EXPECT_EQ(take(0x41), 1u << 2);
  set(3, 0x20, 0x77u << 24);  // two of one name
  ipi(0, 0x41, 0x77);
  EXPECT_EQ(take(0x41), 3u << 2);
  ipi(3, 0xC0041);  // all but itself, not but its name
  EXPECT_EQ(take(0x41), 7u);
  // Its own ID comes back with x2APIC mode, which has it in a read-only register, or after a rest.
  u64 base = 0;
  apics[2]->read_msr(0x1B, base);
  EXPECT_TRUE(apics[2]->write_msr(0x1B, base | 0x400));
  EXPECT_FALSE(apics[2]->write_msr(0x802, 0x77));
  u64 id = 0;
  EXPECT_TRUE(apics[2]->read_msr(0x802, id));
  EXPECT_EQ(id, 2u);
  EXPECT_TRUE(apics[3]->write_msr(0x1B, 0xFEE00000));
  EXPECT_TRUE(apics[3]->write_msr(0x1B, 0xFEE00800));
  EXPECT_EQ(id_of(3), 3u << 24);
}

TEST_F(ApicBusTest, APhysicalIpiReachesTheNamedProcessor) {
  ipi(0, 0x4041, 2);
  EXPECT_EQ(take(0x41), 0b0100u);
  EXPECT_EQ(apics[0]->read(0x300, 4), 0x4041u);
}

TEST_F(ApicBusTest, APhysicalIpiToFfReachesEverybody) {
  ipi(0, 0x4041, 0xFF);
  EXPECT_EQ(take(0x41), 0b1111u);
}

TEST_F(ApicBusTest, TheShorthandsMeanSelfAllAndAllButSelf) {
  ipi(1, 0x44041);
  EXPECT_EQ(take(0x41), 0b0010u);
  ipi(1, 0x84041);
  EXPECT_EQ(take(0x41), 0b1111u);
  ipi(1, 0xC4041);
  EXPECT_EQ(take(0x41), 0b1101u);
}

TEST_F(ApicBusTest, TheFlatModelHasOneBitPerProcessor) {
  for (unsigned id = 0; id < kProcessors; ++id) set(id, 0xD0, 1u << (24 + id));
  ipi(0, 0x4841, 0b1010);
  EXPECT_EQ(take(0x41), 0b1010u);
  ipi(0, 0x4841, 0xFF);
  EXPECT_EQ(take(0x41), 0b1111u);
}

TEST_F(ApicBusTest, TheClusterModelHasAClusterAndOneBitInIt) {
  for (unsigned id = 0; id < kProcessors; ++id) {
    set(id, 0xE0, 0x0FFFFFFF);
    set(id, 0xD0, (id / 2) << 28 | 1u << (24 + id % 2));
  }
  ipi(0, 0x4841, 0x12);
  EXPECT_EQ(take(0x41), 0b1000u);
  ipi(0, 0x4841, 0x03);
  EXPECT_EQ(take(0x41), 0b0011u);
}

TEST_F(ApicBusTest, LowestPriorityGoesToTheProcessorWithTheLowest) {
  for (unsigned id = 0; id < kProcessors; ++id) {
    set(id, 0xD0, 1u << (24 + id));
    set(id, 0x80, id == 2 ? 0x10 : 0x30);
  }
  ipi(0, 0x4941, 0xFF);
  EXPECT_EQ(take(0x41), 0b0100u);
  ipi(0, 0x4941, 0b1000);
  EXPECT_EQ(take(0x41), 0b1000u);
}

TEST_F(ApicBusTest, LowestPriorityLetsEqualsTakeTurnsAndPassesOverTheDisabled) {
  for (unsigned id = 0; id < kProcessors; ++id) set(id, 0xD0, 1u << (24 + id));
  set(3, 0xF0, 0xFF);
  unsigned seen = 0;
  for (int i = 0; i < 6; ++i) {
    ipi(0, 0x4941, 0xFF);
    const unsigned mask = take(0x41);
    EXPECT_EQ(std::popcount(mask), 1);
    seen |= mask;
  }
  EXPECT_EQ(seen, 0b0111u);
}

TEST_F(ApicBusTest, LinuxStartsAProcessorWithInitAndTwoSipis) {
  // arch/x86/kernel/smpboot.c, wakeup_secondary_cpu_via_init().
  ipi(0, 0xC500, 1);
  ipi(0, 0x8500, 1);  // the de-assert does nothing
  ipi(0, 0x0699, 1);
  ipi(0, 0x0699, 1);
  EXPECT_EQ(wiring[1].inits, 1);
  EXPECT_EQ(wiring[1].start_ups, (std::vector<u8>{0x99, 0x99}));
  EXPECT_EQ(wiring[2].inits, 0);
}

TEST_F(ApicBusTest, AnNmiIpiReachesAllOthers) {
  ipi(0, 0xC4400);
  EXPECT_EQ(wiring[0].nmis, 0);
  for (unsigned id = 1; id < kProcessors; ++id) EXPECT_EQ(wiring[id].nmis, 1);
}

TEST_F(ApicBusTest, AnIpiWithAnIllegalVectorIsNotSentAndIsASendError) {
  ipi(0, 0x4003, 1);
  EXPECT_EQ(take(3), 0u);
  set(0, 0x280, 0);
  EXPECT_EQ(apics[0]->read(0x280, 4), 0x20u);
}

TEST_F(ApicBusTest, X2apicHasA32BitDestinationAndASelfIpi) {
  enter_x2apic();
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{3} << 32 | 0x4041));
  EXPECT_EQ(take(0x41), 0b1000u);
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{0xFF} << 32 | 0x4041));
  EXPECT_EQ(take(0x41), 0u);  // FFh is an ID like others here
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{0xFFFFFFFF} << 32 | 0x4041));
  EXPECT_EQ(take(0x41), 0b1111u);
  EXPECT_TRUE(apics[2]->write_msr(0x83F, 0x41));
  EXPECT_EQ(take(0x41), 0b0100u);
}

TEST_F(ApicBusTest, X2apicLogicalIdsFollowFromTheApicIds) {
  enter_x2apic();
  u64 value = 0;
  EXPECT_TRUE(apics[3]->read_msr(0x80D, value));
  EXPECT_EQ(value, 8u);
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{0b0110} << 32 | 0x4841));
  EXPECT_EQ(take(0x41), 0b0110u);
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{0x10006} << 32 | 0x4841));
  EXPECT_EQ(take(0x41), 0u);

  test::WiringProbe probe;
  LocalApic far({.apic_id = 0x123}, clock, bus, probe);
  far.write_msr(0x1B, 0xFEE00C00);
  EXPECT_TRUE(far.read_msr(0x80D, value));
  EXPECT_EQ(value, 0x120008u);
}

TEST_F(ApicBusTest, TheIoApicReachesProcessorsInX2apicMode) {
  enter_x2apic();
  io.write(0x00, 0x11 + 8, 4);
  io.write(0x10, 2u << 24, 4);
  io.write(0x00, 0x10 + 8, 4);
  io.write(0x10, 0x41, 4);
  io.set_irq(4, true);
  EXPECT_EQ(take(0x41), 0b0100u);
}

TEST_F(ApicBusTest, AnMsiIsAWriteToTheBus) {
  bus.write(0x2000, 0x4041, 4);
  EXPECT_EQ(take(0x41), 0b0100u);
  bus.write(0x2000, 0x8041, 4);  // a level being de-asserted
  bus.write(0x2000, 0x41, 1);
  EXPECT_EQ(take(0x41), 0u);
  EXPECT_EQ(bus.read(0, 4), 0xFFFFFFFFu);
}

TEST_F(ApicBusTest, ALevelInterruptComesAgainUntilItsDeviceLetsGo) {
  io.write(0x00, 0x11 + 20, 4);
  io.write(0x10, 1u << 24, 4);
  io.write(0x00, 0x10 + 20, 4);
  io.write(0x10, 0x8041, 4);
  io.set_irq(10, true);
  EXPECT_EQ(take(0x41), 0b0010u);
  EXPECT_EQ(take(0x41), 0b0010u);
  io.set_irq(10, false);
  EXPECT_EQ(take(0x41), 0b0010u);  // was sent before the wire fell
  EXPECT_EQ(take(0x41), 0u);
  io.set_irq(10, true);
  EXPECT_EQ(take(0x41), 0b0010u);
}

TEST_F(ApicBusTest, NobodyAcceptsWhatNobodyMatches) {
  EXPECT_FALSE(bus.deliver({.destination = 9, .vector = 0x41}));
  EXPECT_FALSE(
      bus.deliver({.destination = 9, .mode = DeliveryMode::kLowestPriority, .vector = 0x41}));
  EXPECT_FALSE(ApicBus().deliver({.destination = 0xFF, .vector = 0x41}));
}

TEST(VirtualWire, AnIrqOfThe8259GoesThroughLint0AndBack) {
  struct Wiring : test::WiringProbe {
    Pic8259Pair* pic = nullptr;
    std::optional<u8> acknowledge_external() override { return pic->acknowledge(); }
  } wiring;
  ManualClock clock;
  ApicBus bus;
  LocalApic apic({.apic_id = 0, .bootstrap = true}, clock, bus, wiring);
  Pic8259Pair pic(Line([&](bool level) { apic.set_lint(0, level); }));
  wiring.pic = &pic;
  for (u8 value : {0x20, 0x04, 0x01}) {
    if (value == 0x20) pic.master_ports().write(0, 0x11, 1);
    pic.master_ports().write(1, value, 1);
  }
  apic.enter_virtual_wire_mode();
  pic.set_irq(0, true);
  EXPECT_TRUE(apic.pending());
  pic.set_irq(1, true);
  EXPECT_EQ(apic.acknowledge(), 0x20);
  EXPECT_FALSE(apic.pending());
  const int before = wiring.changes;
  pic.master_ports().write(0, 0x20, 1);
  EXPECT_TRUE(apic.pending());
  EXPECT_GT(wiring.changes, before);
  EXPECT_EQ(apic.acknowledge(), 0x21);
}

// For ThreadSanitizer, and to see that two local APICs that send to each other do not wait for each
// other.
TEST_F(ApicBusTest, ProcessorsAndDevicesOnTheirOwnThreadsDoNotDisturbEachOther) {
  io.write(0x00, 0x10 + 20, 4);
  io.write(0x10, 0x8061, 4);  // input 10, level, to processor 0
  const auto processor = [&](unsigned id) {
    for (int i = 0; i < 20'000; ++i) {
      ipi(id, 0x4051, 1 - id);
      apics[id]->set_cr8(static_cast<u8>(i & 3));
      if (apics[id]->pending() && apics[id]->acknowledge()) set(id, 0xB0, 0);
      if (i % 64 == 0) set(id, 0x380, 100);
      apics[id]->read(0x390, 4);
    }
  };
  std::thread first([&] { processor(0); }), second([&] { processor(1); });
  std::thread device([&] {
    for (int i = 0; i < 20'000; ++i) {
      io.set_irq(10, i % 2 == 0);
      bus.write(0x1000, 0x4071, 4);
    }
  });
  first.join();
  second.join();
  device.join();
  io.set_irq(10, false);
  for (unsigned id = 0; id < 2; ++id) {
    apics[id]->set_cr8(0);
    while (apics[id]->acknowledge()) set(id, 0xB0, 0);
    EXPECT_FALSE(apics[id]->pending());
  }
}

}  // namespace
}  // namespace kite
