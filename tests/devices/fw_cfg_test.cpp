#include "devices/platform/fw_cfg.h"

#include <gtest/gtest.h>

#include "memory/backend.h"
#include "tests/devices/probes.h"

namespace kite::test {
namespace {

struct FwCfgTest : testing::Test {
  HostMemory ram = allocate();
  AddressSpace memory;
  std::unique_ptr<FwCfg> chip;

  static HostMemory allocate() {
    BackendConfig config;
    config.kind = "ram";
    config.size = MiB;
    return std::move(*kite::allocate(config));
  }
  FwCfgTest() {
    AddressSpace::Edit(memory).map({.start = 0, .size = MiB, .region = Region::ram("ram", ram)});
    FwCfg::Contents contents;
    contents.items[FwCfg::kCpuCount] = {1, 0};
    contents.files["etc/b"] = {1, 2, 3};
    contents.files["etc/a"] = {9};
    chip = std::make_unique<FwCfg>(memory, std::move(contents));
  }
  void select(u16 key) { chip->ports().write(0, key, 2); }
  u8 next() { return static_cast<u8>(chip->ports().read(1, 1)); }
  u64 next(unsigned bytes) {
    u64 value = 0;
    for (unsigned i = 0; i < bytes; ++i) value = value << 8 | next();
    return value;
  }
  // Big-endian fields at 100h; returns the control field afterwards.
  u32 request(u32 control, u32 length, u64 address) {
    for (unsigned i = 0; i < 4; ++i) {
      memory.write_value(0x100 + i, control >> (24 - 8 * i) & 0xff, 1);
      memory.write_value(0x104 + i, length >> (24 - 8 * i) & 0xff, 1);
    }
    for (unsigned i = 0; i < 8; ++i)
      memory.write_value(0x108 + i, address >> (56 - 8 * i) & 0xff, 1);
    chip->dma_ports().write(4, 0x00010000, 4);  // 100h, big-endian
    u32 result = 0;
    for (unsigned i = 0; i < 4; ++i)
      result = result << 8 | static_cast<u32>(memory.read_value(0x100 + i, 1));
    return result;
  }
};

TEST_F(FwCfgTest, SignsAndSaysThatItHasDma) {
  select(0);
  EXPECT_EQ(next(4), 0x51454d55u);
  select(1);
  EXPECT_EQ(next(), 3u);
  EXPECT_EQ(chip->dma_ports().read(0, 4), 0x554d4551u);
}

TEST_F(FwCfgTest, TheDirectoryNamesEveryFile) {
  select(0x19);
  EXPECT_EQ(next(4), 2u);
  EXPECT_EQ(next(4), 1u);  // etc/a comes first
  EXPECT_EQ(next(2), 0x20u);
  next(2);
  EXPECT_EQ(next(6), 0x6574632f6100u);
  next(50);
  EXPECT_EQ(next(4), 3u);
  EXPECT_EQ(next(2), 0x21u);
  select(0x21);
  EXPECT_EQ(next(4), 0x01020300u);  // zeros beyond the end
}

TEST_F(FwCfgTest, WhatIsNotThereReadsAsZero) {
  select(0x7777);
  EXPECT_EQ(next(4), 0u);
  EXPECT_EQ(chip->ports().read(0, 2), 0u);
  chip->ports().write(1, 0xff, 1);
}

TEST_F(FwCfgTest, DmaSelectsAndReads) {
  EXPECT_EQ(request(0x21 << 16 | 8 | 2, 3, 0x2000), 0u);
  EXPECT_EQ(memory.read_value(0x2000, 4), 0x00030201u);
}

TEST_F(FwCfgTest, DmaSkipsAndGoesOnWhereItWas) {
  EXPECT_EQ(request(0x21 << 16 | 8 | 4, 1, 0), 0u);
  EXPECT_EQ(request(2, 4, 0x2000), 0u);
  EXPECT_EQ(memory.read_value(0x2000, 4), 0x0302u);
}

TEST_F(FwCfgTest, WritesAndEndlessReadsAreErrors) {
  EXPECT_EQ(request(0x21 << 16 | 8 | 16, 3, 0x2000), 1u);
  EXPECT_EQ(request(0x21 << 16 | 8 | 2, 0xffffffff, 0x2000), 1u);
}

TEST_F(FwCfgTest, ARequestOutsideRamDoesNoHarm) {
  chip->dma_ports().write(0, 0xffffffff, 4);
  chip->dma_ports().write(4, 0xf0ffffff, 4);
  EXPECT_EQ(request(0x21 << 16 | 8 | 2, 3, ~u64{0}), 0u);
}

TEST_F(FwCfgTest, TheAddressHasSixtyFourBitsAndIsUsedOnce) {
  chip->dma_ports().write(0, 0x01000000, 4);  // 1 << 32: nothing there, so control reads as ones
  EXPECT_EQ(request(0x21 << 16 | 8 | 2, 3, 0x2000), 0x21u << 16 | 8 | 2);
  EXPECT_EQ(request(0x21 << 16 | 8 | 2, 3, 0x2000), 0u);
}

TEST_F(FwCfgTest, ASavedStateReadsOn) {
  select(0x21);
  next();
  FwCfg::Contents contents;
  contents.files["etc/b"] = {1, 2, 3};
  contents.files["etc/a"] = {9};
  FwCfg other(memory, std::move(contents));
  EXPECT_TRUE(restore(other, saved(*chip)));
  EXPECT_EQ(other.ports().read(1, 1), 2u);
  chip->reset();
  EXPECT_EQ(next(), 'Q');
}

}  // namespace
}  // namespace kite::test
