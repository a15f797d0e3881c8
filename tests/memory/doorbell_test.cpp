// Doorbells of the address space and of the ports, rung by the spaces themselves.
#include "memory/doorbell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "memory/address_space.h"
#include "memory/port_space.h"

namespace kite {
namespace {

std::shared_ptr<Notifier> make_notifier() {
  auto made = Notifier::create();
  EXPECT_TRUE(made) << made.error().message;
  return std::make_shared<Notifier>(std::move(*made));
}

struct Counter : IoHandler {
  u64 read(u64, unsigned) override { return 0; }
  void write(u64, u64, unsigned) override { ++writes; }
  std::atomic<u64> writes{0};
};

class Doorbells : public testing::Test {
 protected:
  std::shared_ptr<Notifier> bell = make_notifier(), other = make_notifier();
  Counter chip;
  std::shared_ptr<const Region> region = Region::mmio("chip", 0x1000, chip);
  AddressSpace space;
  PortSpace ports;
  WindowId map(Gpa start) {
    return AddressSpace::Edit(space).map({.start = start, .size = 0x1000, .region = region});
  }
  DoorbellId add(Doorbell doorbell) {
    return AddressSpace::Edit(space).add_doorbell(region, std::move(doorbell));
  }
};

TEST_F(Doorbells, RingInsteadOfCallingTheHandler) {
  map(0x10000);
  add({.offset = 0x50, .size = 4, .notifier = bell});
  space.write_value(0x10050, 7, 4);
  EXPECT_EQ(bell->take(), 1u);
  EXPECT_EQ(chip.writes, 0u);
  space.write_value(0x10050, 7, 2);  // another width
  space.write_value(0x10054, 7, 4);  // another place
  EXPECT_EQ(bell->take(), 0u);
  EXPECT_EQ(chip.writes, 2u);
}

TEST_F(Doorbells, MayAskForAValueOrTakeEveryWidth) {
  map(0x10000);
  add({.offset = 0x50, .size = 2, .value = 3, .notifier = bell});
  add({.offset = 0x50, .size = 2, .value = 4, .notifier = other});
  add({.offset = 0x60, .size = 0, .notifier = bell});
  space.write_value(0x10050, 3, 2);
  space.write_value(0x10050, 4, 2);
  space.write_value(0x10050, 5, 2);
  EXPECT_EQ(bell->take(), 1u);
  EXPECT_EQ(other->take(), 1u);
  EXPECT_EQ(chip.writes, 1u);
  for (unsigned size : {1u, 2u, 4u, 8u}) space.write_value(0x10060, size, size);
  EXPECT_EQ(bell->take(), 4u);
}

TEST_F(Doorbells, TheFirstOfTwoThatOneStoreWouldRingHasIt) {
  map(0x10000);
  const DoorbellId first = add({.offset = 0, .size = 4, .notifier = bell});
  add({.offset = 0, .size = 4, .value = 9, .notifier = other});
  space.write_value(0x10000, 9, 4);
  EXPECT_EQ(bell->take(), 1u);
  EXPECT_EQ(other->take(), 0u);
  AddressSpace::Edit(space).remove_doorbell(first);
  space.write_value(0x10000, 9, 4);
  EXPECT_EQ(bell->take(), 0u);
  EXPECT_EQ(other->take(), 1u);
}

TEST_F(Doorbells, MoveWithTheirRegionsWindow) {
  const WindowId id = map(0x10000);
  add({.offset = 0x50, .size = 4, .notifier = bell});
  AddressSpace::Edit(space).move(id, 0x90000);
  space.write_value(0x10050, 1, 4);  // nobody is there
  EXPECT_EQ(bell->take(), 0u);
  space.write_value(0x90050, 1, 4);
  EXPECT_EQ(bell->take(), 1u);
  AddressSpace::Edit(space).unmap(id);
  space.write_value(0x90050, 1, 4);
  EXPECT_EQ(bell->take(), 0u);
  // A window onto the middle of the region.
  AddressSpace::Edit(space).map(
      {.start = 0x20000, .size = 0x100, .region = region, .offset = 0x40});
  space.write_value(0x20010, 1, 4);
  EXPECT_EQ(bell->take(), 1u);
}

TEST_F(Doorbells, AreNotRungWhereSomethingElseIsVisible) {
  map(0x10000);
  add({.offset = 0x50, .size = 4, .notifier = bell});
  Counter over;
  AddressSpace::Edit(space).map({.start = 0x10000,
                                 .size = 0x1000,
                                 .region = Region::mmio("over", 0x1000, over),
                                 .priority = 1});
  space.write_value(0x10050, 1, 4);
  EXPECT_EQ(bell->take(), 0u);
  EXPECT_EQ(over.writes, 1u);
}

TEST_F(Doorbells, OfPortsRing) {
  ASSERT_TRUE(ports.map("chip", 0x300, 8, chip));
  const DoorbellId id = ports.add_doorbell({.offset = 0x304, .size = 2, .notifier = bell});
  ports.add_doorbell({.offset = 0x306, .size = 1, .value = 0x12, .notifier = other});
  ports.out(0x304, 1, 2);
  ports.out(0x306, 0xff12, 1);  // only AL counts
  ports.out(0x306, 0x13, 1);
  ports.out(0x304, 1, 1);
  EXPECT_EQ(bell->take(), 1u);
  EXPECT_EQ(other->take(), 1u);
  EXPECT_EQ(chip.writes, 2u);
  ports.remove_doorbell(id);
  ports.out(0x304, 1, 2);
  EXPECT_EQ(bell->take(), 0u);
  EXPECT_EQ(chip.writes, 3u);
}

TEST_F(Doorbells, EveryStoreArrivesOnceWhileTheyComeGoAndMove) {
  constexpr u64 kStores = 20'000;
  map(0x10000);
  ASSERT_TRUE(ports.map("chip", 0x300, 8, chip));
  std::atomic<bool> done{false};
  u64 rung = 0;
  std::thread guest([&] {
    for (u64 i = 0; i < kStores; ++i) {
      space.write_value(0x10050, i, 4);
      ports.out(0x300, 1, 4);
      if (i % 512 == 0) rung += bell->take();  // before a pipe is full, which counts no more
    }
    done = true;
  });
  while (!done) {
    const DoorbellId added = add({.offset = 0x50, .size = 4, .notifier = bell});
    const DoorbellId port = ports.add_doorbell({.offset = 0x300, .size = 4, .notifier = bell});
    const WindowId second = map(0x90000);  // the region is visible twice
    ports.remove_doorbell(port);
    AddressSpace::Edit edit(space);
    edit.unmap(second);
    edit.remove_doorbell(added);
  }
  guest.join();
  EXPECT_EQ(rung + bell->take() + chip.writes, 2 * kStores);
}

}  // namespace
}  // namespace kite
