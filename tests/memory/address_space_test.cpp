#include "memory/address_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "memory/backend.h"
#include "memory/dirty_log.h"

namespace kite {
namespace {

using testing::ElementsAre;

struct Access {
  char what;
  u64 offset;
  u64 value;
  unsigned size;
  bool operator==(const Access&) const = default;
};

// Registers that remember what was done to them and read as their offset.
class Probe : public IoHandler {
 public:
  u64 read(u64 offset, unsigned size) override {
    accesses.push_back({'r', offset, 0, size});
    return 0x1111'1111'1111'1100 + offset;
  }
  void write(u64 offset, u64 value, unsigned size) override {
    accesses.push_back({'w', offset, value, size});
  }
  std::vector<Access> accesses;
};

HostMemory make_ram(u64 size) {
  BackendConfig config;
  config.kind = "ram";
  config.size = size;
  auto memory = allocate(config);
  EXPECT_TRUE(memory) << memory.error().message;
  return std::move(*memory);
}

class Listener : public MemoryListener {
 public:
  void memory_changed(const FlatView& before, const FlatView& after) override {
    befores.push_back(before.ranges());
    afters.push_back(after.ranges());
    if (on_change) on_change();
  }
  std::vector<std::vector<FlatRange>> befores, afters;
  std::function<void()> on_change;
};

class AddressSpaceTest : public testing::Test {
 protected:
  WindowId map(Gpa start, u64 size, std::shared_ptr<const Region> region, u64 offset = 0,
               int priority = 0) {
    return AddressSpace::Edit(space).map({start, size, std::move(region), offset, priority});
  }
  HostMemory memory = make_ram(64 * KiB);
  std::shared_ptr<const Region> ram = Region::ram("ram", memory);
  Probe probe;
  std::shared_ptr<const Region> registers = Region::mmio("probe", 0x100, probe);
  AddressSpace space;
};

TEST_F(AddressSpaceTest, WhatIsWrittenToRamIsReadBackAtEveryWidth) {
  map(0x1000, memory.size(), ram);
  for (unsigned size : {1u, 2u, 4u, 8u}) {
    const u64 value = 0x8877'6655'4433'2211;
    space.write_value(0x1003, value, size);
    EXPECT_EQ(space.read_value(0x1003, size),
              size == 8 ? value : value & ((u64{1} << 8 * size) - 1));
  }
  EXPECT_EQ(memory.data()[3], 0x11);
}

TEST_F(AddressSpaceTest, NothingMappedReadsAllOnesAndSwallowsWrites) {
  EXPECT_EQ(space.read_value(0x1234, 1), 0xffu);
  EXPECT_EQ(space.read_value(0x1234, 4), 0xffff'ffffu);
  EXPECT_EQ(space.read_value(~u64{0} - 3, 8), ~u64{0});
  space.write_value(0x1234, 5, 4);
}

TEST_F(AddressSpaceTest, AnAccessAcrossTheEndOfRamIsServedOnBothSides) {
  map(0, 0x1000, ram);
  space.write_value(0xffe, 0x1234'5678, 4);
  EXPECT_EQ(space.read_value(0xffe, 4), 0xffff'5678u);
}

TEST_F(AddressSpaceTest, AnAccessAcrossTwoWindowsIsServedByBoth) {
  map(0, 0x1000, ram, 0x2000);
  map(0x1000, 0x1000, ram, 0x8000);
  space.write_value(0xffc, 0x1122'3344'5566'7788, 8);
  EXPECT_EQ(memory.data()[0x2ffc], 0x88);
  EXPECT_EQ(memory.data()[0x8003], 0x11);
  EXPECT_EQ(space.read_value(0xffc, 8), 0x1122'3344'5566'7788u);
}

TEST_F(AddressSpaceTest, AnAccessPastTheLastAddressGoesOnAtZero) {
  map(0, 0x1000, ram);
  map(u64{0} - 0x1000, 0x1000, ram, 0x1000);
  space.write_value(~u64{0} - 1, 0x4433'2211, 4);
  EXPECT_EQ(memory.data()[0x1ffe], 0x11);
  EXPECT_EQ(memory.data()[1], 0x44);
  EXPECT_EQ(space.read_value(~u64{0} - 1, 4), 0x4433'2211u);
}

TEST_F(AddressSpaceTest, AlignedRegisterAccessesReachTheChipWhole) {
  map(0x1'0000, 0x100, registers);
  EXPECT_EQ(space.read_value(0x1'0008, 8), 0x1111'1111'1111'1108u);
  space.write_value(0x1'0004, 0xffff'ffff'1234'5678, 4);
  EXPECT_THAT(probe.accesses, ElementsAre(Access{'r', 8, 0, 8}, Access{'w', 4, 0x1234'5678, 4}));
}

TEST_F(AddressSpaceTest, MisalignedRegisterAccessesAreCutIntoNaturallyAlignedPieces) {
  map(0x1'0000, 0x100, registers);
  space.write_value(0x1'0003, 0x4433'2211, 4);
  EXPECT_THAT(probe.accesses, ElementsAre(Access{'w', 3, 0x11, 1}, Access{'w', 4, 0x3322, 2},
                                          Access{'w', 6, 0x44, 1}));
}

TEST_F(AddressSpaceTest, ALongTransferToRegistersUsesPiecesOfEight) {
  map(0x1'0000, 0x100, registers);
  const std::vector<u8> bytes(20, 0xaa);
  space.write(0x1'0000, bytes);
  EXPECT_THAT(probe.accesses, ElementsAre(Access{'w', 0, 0xaaaa'aaaa'aaaa'aaaa, 8},
                                          Access{'w', 8, 0xaaaa'aaaa'aaaa'aaaa, 8},
                                          Access{'w', 16, 0xaaaa'aaaa, 4}));
}

TEST_F(AddressSpaceTest, RegistersNeverSeeAnAccessAcrossTheirEnd) {
  map(0, 0x1000, ram);
  map(0x1000, 0x100, registers);
  space.write_value(0x10fe, 0x4433'2211, 4);
  EXPECT_THAT(probe.accesses, ElementsAre(Access{'w', 0xfe, 0x2211, 2}));
}

TEST_F(AddressSpaceTest, TheUpperBytesAChipReturnsBeyondTheWidthAreDropped) {
  map(0, 0x100, registers);
  EXPECT_EQ(space.read_value(2, 2), 0x1102u);
  EXPECT_EQ(space.read_value(1, 1), 0x01u);
}

TEST_F(AddressSpaceTest, RomIsReadDirectlyAndIgnoresWrites) {
  memory.data()[5] = 0x5a;
  map(0xf0000, 0x1000, Region::rom("bios", memory));
  space.write_value(0xf0005, 0, 1);
  EXPECT_EQ(space.read_value(0xf0005, 1), 0x5au);
  EXPECT_TRUE(space.ram(0xf0000, 16, true).empty());
  EXPECT_EQ(space.ram(0xf0000, 16, false).data(), memory.data());
}

TEST_F(AddressSpaceTest, WritesToRomWithACommandInterfaceReachIt) {
  map(0xf0000, 0x1000, Region::rom("flash", memory, &probe), 0x100);
  space.write_value(0xf0004, 0x20, 1);
  EXPECT_THAT(probe.accesses, ElementsAre(Access{'w', 0x104, 0x20, 1}));
}

TEST_F(AddressSpaceTest, RamGivesHostMemoryOnlyForOnePieceOfIt) {
  map(0x1000, 0x1000, ram, 0x3000);
  EXPECT_EQ(space.ram(0x1010, 0xff0, true).data(), memory.data() + 0x3010);
  EXPECT_TRUE(space.ram(0x1010, 0xff1, true).empty());
  EXPECT_TRUE(space.ram(0x1010, ~u64{0}, true).empty());
  EXPECT_TRUE(space.ram(0x1010, 0, true).empty());
  EXPECT_TRUE(space.ram(0xfff, 1, false).empty());
  map(0x2000, 0x100, registers);
  EXPECT_TRUE(space.ram(0x2000, 4, false).empty());
}

TEST_F(AddressSpaceTest, AnEditPublishesOneViewAtItsEnd) {
  Listener listener;
  space.add_listener(listener);
  {
    AddressSpace::Edit edit(space);
    const WindowId id = edit.map({0, 0x1000, ram});
    edit.map({0x2000, 0x1000, ram});
    edit.move(id, 0x5000);
    EXPECT_TRUE(space.view()->ranges().empty());
  }
  ASSERT_EQ(listener.afters.size(), 2u);
  ASSERT_EQ(listener.afters[1].size(), 2u);
  EXPECT_EQ(listener.afters[1][1].start, 0x5000u);
  EXPECT_TRUE(listener.befores[1].empty());
  space.remove_listener(listener);
}

TEST_F(AddressSpaceTest, AnEditThatChangesNothingVisiblePublishesNothing) {
  map(0, 0x1000, ram, 0, 1);
  Listener listener;
  space.add_listener(listener);
  const u64 generation = space.generation();
  {
    AddressSpace::Edit edit(space);
    edit.unmap(edit.map({0x4000, 0x1000, ram}));
    edit.map({0, 0x1000, registers});  // hidden behind the higher priority
  }
  EXPECT_EQ(listener.afters.size(), 1u);
  EXPECT_EQ(space.generation(), generation);
  space.remove_listener(listener);
}

TEST_F(AddressSpaceTest, AListenerHearsTheChangeBeforeReadersSeeIt) {
  Listener listener;
  space.add_listener(listener);
  std::size_t seen = 99;
  listener.on_change = [&] { seen = space.view()->ranges().size(); };
  map(0, 0x1000, ram);
  EXPECT_EQ(seen, 0u);
  EXPECT_EQ(space.view()->ranges().size(), 1u);
  space.remove_listener(listener);
}

TEST_F(AddressSpaceTest, AListenerJoinsFromNothingAndLeavesToNothing) {
  map(0, 0x1000, ram);
  Listener listener;
  space.add_listener(listener);
  space.remove_listener(listener);
  ASSERT_EQ(listener.afters.size(), 2u);
  EXPECT_TRUE(listener.befores[0].empty());
  EXPECT_EQ(listener.afters[0].size(), 1u);
  EXPECT_EQ(listener.befores[1].size(), 1u);
  EXPECT_TRUE(listener.afters[1].empty());
  map(0x8000, 0x1000, ram);
  EXPECT_EQ(listener.afters.size(), 2u);
}

TEST_F(AddressSpaceTest, UnmapAndMoveOfUnknownWindowsDoNothing) {
  const WindowId id = map(0, 0x1000, ram);
  {
    AddressSpace::Edit edit(space);
    edit.unmap(id + 100);
    edit.move(id + 100, 0x9000);
  }
  EXPECT_EQ(space.view()->ranges().size(), 1u);
  AddressSpace::Edit(space).unmap(id);
  EXPECT_TRUE(space.view()->ranges().empty());
}

// A chip that moves its own registers while they are written, as a PCI base address does.
class MovesItself : public IoHandler {
 public:
  explicit MovesItself(AddressSpace& space) : space_(space) {}
  u64 read(u64, unsigned) override { return 0; }
  void write(u64, u64 value, unsigned) override { AddressSpace::Edit(space_).move(id, value); }
  WindowId id = 0;

 private:
  AddressSpace& space_;
};

TEST_F(AddressSpaceTest, AChipMayMoveItsOwnWindowWhileItIsAccessed) {
  MovesItself chip(space);
  chip.id = map(0x1000, 0x10, Region::mmio("mover", 0x10, chip));
  const std::vector<u8> bytes(16, 0);
  space.write(0x1000, bytes);  // the second half finds nothing any more
  EXPECT_EQ(space.view()->ranges()[0].start, 0u);
}

TEST_F(AddressSpaceTest, AViewCacheFollowsTheSpaceItBelongsTo) {
  ViewCache cache(space);
  EXPECT_TRUE(cache.view().ranges().empty());
  map(0, 0x1000, ram);
  EXPECT_EQ(cache.view().ranges().size(), 1u);
}

TEST_F(AddressSpaceTest, ASpaceMadeWhereAnotherStoodIsNotTakenForIt) {
  for (int i = 0; i < 3; ++i) {
    auto other = std::make_unique<AddressSpace>();
    if (i == 1) AddressSpace::Edit(*other).map({0, 0x1000, ram});
    EXPECT_EQ(other->ram(0, 1, false).empty(), i != 1);
  }
}

TEST_F(AddressSpaceTest, WritesMarkTheirPagesInTheDirtyLog) {
  map(0, memory.size(), ram);
  DirtyLog& dirty = space.dirty_log();
  dirty.start(memory.data(), memory.size());
  space.write_value(0x1ffe, 0, 4);
  space.write(0x5000, std::vector<u8>(0x1001));
  space.read_value(0x9000, 8);
  space.ram(0x8000, 8, true);
  space.ram(0xa000, 8, false);
  EXPECT_THAT(dirty.collect(), ElementsAre(1, 2, 5, 6, 8));
  EXPECT_THAT(dirty.collect(), ElementsAre());
}

TEST_F(AddressSpaceTest, ReadersAndEditorsOnDifferentThreadsAgree) {
  const WindowId id = map(0, 0x1000, ram);
  memory.data()[0] = 0x42;
  std::atomic<bool> stop{false};
  std::atomic<u64> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (!stop) {
        const u64 value = space.read_value(0, 1);
        if (value != 0x42 && value != 0xff) ++wrong;
      }
    });
  for (int i = 0; i < 2000; ++i) AddressSpace::Edit(space).move(id, i % 2 ? 0 : 0x4000);
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);
}

class WriteRecorder : public RamWriteListener {
 public:
  void ram_written(Gpa address, u64 size) override { writes.emplace_back(address, size); }
  std::vector<std::pair<Gpa, u64>> writes;
};

TEST(AddressSpace, StoresToRamAreToldAndOthersAreNot) {
  HostMemory memory = make_ram(2 * kPageSize);
  Probe probe;
  AddressSpace space;
  {
    AddressSpace::Edit edit(space);
    edit.map({0x1000, memory.size(), Region::ram("ram", memory)});
    edit.map({0x8000, kPageSize, Region::mmio("probe", kPageSize, probe)});
  }
  WriteRecorder recorder;
  space.set_write_listener(&recorder);
  const std::array<u8, 6> bytes{1, 2, 3, 4, 5, 6};
  space.write(0x1ffe, bytes);
  space.write_value(0x1008, 7, 4);
  space.write_value(0x8000, 7, 4);
  space.set_write_listener(nullptr);
  space.write_value(0x1010, 7, 4);
  EXPECT_THAT(recorder.writes,
              ElementsAre(std::pair<Gpa, u64>{0x1ffe, 6}, std::pair<Gpa, u64>{0x1008, 4}));
}

TEST(AddressSpace, WhoIsToldOfAPublishedViewFindsIt) {
  HostMemory memory = make_ram(kPageSize);
  AddressSpace space;
  struct Listener : MemoryListener {
    explicit Listener(AddressSpace& space) : space_(space) {}
    void memory_changed(const FlatView&, const FlatView&) override {}
    void memory_published() override { ranges = space_.view()->ranges().size(); }
    AddressSpace& space_;
    std::size_t ranges = 0;
  } listener(space);
  space.add_listener(listener);
  AddressSpace::Edit(space).map({0, memory.size(), Region::ram("ram", memory)});
  EXPECT_EQ(listener.ranges, 1u);
  space.remove_listener(listener);
}

}  // namespace
}  // namespace kite
