// e820, PVH, the zero page, SMBIOS and MP tables, byte by byte where kernels look.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/bits.h"
#include "firmware/e820.h"
#include "firmware/layout.h"
#include "firmware/linux_zero_page.h"
#include "firmware/mp_table.h"
#include "firmware/pvh.h"
#include "firmware/smbios.h"

namespace kite {
namespace {

u8 sum(std::span<const u8> bytes) {
  u8 total = 0;
  for (const u8 byte : bytes) total = static_cast<u8>(total + byte);
  return total;
}

std::string text(std::span<const u8> bytes, u64 offset, u64 size) {
  return {reinterpret_cast<const char*>(&bytes[offset]), size};
}

TEST(E820, RamIsSplitByTheLowHoleAndTheHoleBelow4GiB) {
  const auto map = e820_map(pc_ram_windows(5 * GiB, 3 * GiB));
  const std::vector<E820Entry> expected = {
      {0, 0x9fc00, E820Type::kRam},
      {0x9fc00, 0x60400, E820Type::kReserved},
      {1 * MiB, 3 * GiB - 1 * MiB, E820Type::kRam},
      {4 * GiB, 2 * GiB, E820Type::kRam},
  };
  EXPECT_EQ(map, expected);
  EXPECT_EQ(ram_size(map), 5 * GiB - 0x60400);
}

TEST(E820, RamThatFitsBelowTheHoleIsOneWindow) {
  EXPECT_EQ(pc_ram_windows(3 * GiB, 3 * GiB).size(), 1u);
}

TEST(E820, TakenMemoryKeepsItsTypeAndNeighboursOfOneTypeAreJoined) {
  const E820Entry taken[] = {{8 * MiB, 1 * MiB, E820Type::kAcpi},
                             {9 * MiB, 1 * MiB, E820Type::kAcpi}};
  const RamWindow ram[] = {{0, 8 * MiB}, {8 * MiB, 8 * MiB}};
  const auto map = e820_map(ram, taken);
  ASSERT_EQ(map.size(), 5u);
  EXPECT_EQ(map[2], (E820Entry{1 * MiB, 7 * MiB, E820Type::kRam}));
  EXPECT_EQ(map[3], (E820Entry{8 * MiB, 2 * MiB, E820Type::kAcpi}));
  EXPECT_EQ(map[4], (E820Entry{10 * MiB, 6 * MiB, E820Type::kRam}));
}

TEST(E820, RamThatEndsInsideTheLowHoleIsNotExtended) {
  const auto map = e820_map(pc_ram_windows(512 * KiB, 3 * GiB));
  EXPECT_EQ(ram_size(map), 512 * KiB);
}

TEST(Pvh, StartInfoPointsToModuleAndMap) {
  const auto map = e820_map(pc_ram_windows(64 * MiB, 3 * GiB));
  const auto bytes = pvh_start_info({.memory_map = map,
                                     .command_line = 0x20000,
                                     .initrd = 0x3000000,
                                     .initrd_size = 77,
                                     .rsdp = 0xe0000},
                                    0x6000);
  EXPECT_EQ(load<u32>(&bytes[0]), 0x336ec578u);
  EXPECT_EQ(load<u32>(&bytes[4]), 1u);
  EXPECT_EQ(load<u32>(&bytes[12]), 1u);
  const u64 module = load<u64>(&bytes[16]) - 0x6000;
  EXPECT_EQ(load<u64>(&bytes[module]), 0x3000000u);
  EXPECT_EQ(load<u64>(&bytes[module + 8]), 77u);
  EXPECT_EQ(load<u64>(&bytes[24]), 0x20000u);
  EXPECT_EQ(load<u64>(&bytes[32]), 0xe0000u);
  const u64 entries = load<u64>(&bytes[40]) - 0x6000;
  ASSERT_EQ(load<u32>(&bytes[48]), map.size());
  ASSERT_EQ(bytes.size(), entries + 24 * map.size());
  EXPECT_EQ(load<u64>(&bytes[entries + 24]), 0x9fc00u);
  EXPECT_EQ(load<u32>(&bytes[entries + 24 + 16]), 2u);
}

TEST(Pvh, WithoutAnInitrdThereIsNoModule) {
  EXPECT_EQ(load<u32>(&pvh_start_info({}, 0x6000)[12]), 0u);
}

TEST(LinuxZeroPage, HeaderMapAndPointersAreWhereTheProtocolSays) {
  std::vector<u8> header(0x264 - 0x1f1, 0);
  header[0x206 - 0x1f1] = 0x0f;
  header[0x207 - 0x1f1] = 0x02;
  const auto map = e820_map(pc_ram_windows(64 * MiB, 3 * GiB));
  const auto page = linux_zero_page({.setup_header = header,
                                     .memory_map = map,
                                     .command_line = 0x20000,
                                     .initrd = 0x1'2345'6000,
                                     .initrd_size = 99,
                                     .rsdp = 0xe0000});
  ASSERT_EQ(page.size(), 4096u);
  EXPECT_EQ(load<u64>(&page[0x70]), 0xe0000u);
  EXPECT_EQ(load<u32>(&page[0xc0]), 1u);
  EXPECT_EQ(load<u16>(&page[0x206]), 0x20fu);
  EXPECT_EQ(page[0x210], 0xff);
  EXPECT_EQ(page[0x211] & 1, 1);
  EXPECT_EQ(load<u32>(&page[0x218]), 0x23456000u);
  EXPECT_EQ(load<u32>(&page[0x21c]), 99u);
  EXPECT_EQ(load<u32>(&page[0x228]), 0x20000u);
  ASSERT_EQ(page[0x1e8], map.size());
  EXPECT_EQ(load<u64>(&page[0x2d0 + 20]), 0x9fc00u);
  EXPECT_EQ(load<u32>(&page[0x2d0 + 20 + 16]), 2u);
}

TEST(LinuxZeroPage, WithoutABzImageTheHeaderIsMadeUp) {
  const auto page = linux_zero_page({});
  EXPECT_EQ(text(page, 0x202, 4), "HdrS");
  EXPECT_EQ(load<u16>(&page[0x1fe]), 0xaa55u);
}

TEST(LinuxZeroPage, AnOverlongHeaderAndMapStayInTheirPlaces) {
  const std::vector<u8> header(4096, 0xee);
  const std::vector<E820Entry> map(200, {0, 1, E820Type::kRam});
  const auto page = linux_zero_page({.setup_header = header, .memory_map = map});
  EXPECT_EQ(page.size(), 4096u);
  EXPECT_EQ(page[0x1e8], 128);
  EXPECT_EQ(page[0x2d0 + 128 * 20], 0);
}

TEST(Smbios, EveryStructureIsWellFormedAndTheLastIsTheEnd) {
  const auto bytes =
      smbios_tables({.product = "microvm", .cpus = 4, .ram_size = 512 * MiB}, layout::kSmbios);
  ASSERT_LE(bytes.size(), layout::kSmbiosSize);
  EXPECT_EQ(text(bytes, 0, 5), "_SM3_");
  EXPECT_EQ(sum(std::span(bytes).first(24)), 0);
  const u64 table = load<u64>(&bytes[16]) - layout::kSmbios;
  ASSERT_EQ(load<u32>(&bytes[12]), bytes.size() - table);
  std::vector<int> types;
  for (u64 at = table; at < bytes.size();) {
    types.push_back(bytes[at]);
    ASSERT_GE(bytes[at + 1], 4);
    at += bytes[at + 1];
    while (at + 1 < bytes.size() && (bytes[at] || bytes[at + 1])) ++at;
    at += 2;
  }
  EXPECT_EQ(types, (std::vector<int>{0, 1, 3, 4, 16, 17, 19, 32, 127}));
}

TEST(Smbios, TheFormattedAreasHaveTheSpecifiedLengths) {
  const auto bytes = smbios_tables({}, layout::kSmbios);
  const std::map<int, int> lengths = {{0, 0x1a},  {1, 0x1b},  {3, 0x16},  {4, 0x30}, {16, 0x17},
                                      {17, 0x28}, {19, 0x1f}, {32, 0x0b}, {127, 4}};
  for (u64 at = load<u64>(&bytes[16]) - layout::kSmbios; at < bytes.size();) {
    EXPECT_EQ(bytes[at + 1], lengths.at(bytes[at])) << "type " << int{bytes[at]};
    at += bytes[at + 1];
    while (at + 1 < bytes.size() && (bytes[at] || bytes[at + 1])) ++at;
    at += 2;
  }
}

TEST(MpTable, PointerAndTableSumToZeroAndCountTheirEntries) {
  AcpiFacts facts;
  facts.cpus = {{.apic_id = 0}, {.apic_id = 1}, {.apic_id = 300}};
  facts.ioapics = {{.id = 2}};
  facts.overrides = {{.irq = 0, .gsi = 2}};
  const auto bytes = mp_table(facts, layout::kMpTable);
  EXPECT_EQ(text(bytes, 0, 4), "_MP_");
  EXPECT_EQ(sum(std::span(bytes).first(16)), 0);
  EXPECT_EQ(load<u32>(&bytes[4]), layout::kMpTable + 16);
  const auto table = std::span(bytes).subspan(16);
  EXPECT_EQ(text(table, 0, 4), "PCMP");
  EXPECT_EQ(load<u16>(&table[4]), table.size());
  EXPECT_EQ(sum(table), 0);
  std::map<int, int> count;
  u64 at = 44;
  for (int i = 0; i < load<u16>(&table[34]); ++i) {
    ASSERT_LT(at, table.size());
    ++count[table[at]];
    if (table[at] == 3 && table[at + 5] == 0) {
      EXPECT_EQ(table[at + 7], 2) << "IRQ 0's pin";
    }
    at += table[at] == 0 ? 20 : 8;
  }
  EXPECT_EQ(at, table.size());
  EXPECT_EQ(count, (std::map<int, int>{{0, 2}, {1, 1}, {2, 1}, {3, 15}, {4, 2}}));
}

}  // namespace
}  // namespace kite
