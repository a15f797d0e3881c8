#include "firmware/linux_zero_page.h"

#include <algorithm>

#include "base/bits.h"

namespace kite {

namespace {

// Offsets of zero-page.rst and, from 1F1h on, of boot.rst.
constexpr u64 kRsdp = 0x070, kInitrdHigh = 0x0c0, kInitrdSizeHigh = 0x0c4, kCommandLineHigh = 0x0c8,
              kE820Count = 0x1e8, kSetupHeader = 0x1f1, kBootFlag = 0x1fe, kMagic = 0x202,
              kVersion = 0x206, kTypeOfLoader = 0x210, kLoadFlags = 0x211, kInitrd = 0x218,
              kInitrdSize = 0x21c, kCommandLine = 0x228, kKernelAlignment = 0x230,
              kE820Table = 0x2d0;
constexpr u64 kSetupHeaderEnd = 0x290;  // the structure's end in boot_params (edd buffer follows)
constexpr u64 kE820EntrySize = 20, kE820Limit = 128;
constexpr u8 kUndefinedLoader = 0xff;
constexpr u8 kLoadedHigh = 1;

// A kernel loaded without a bzImage around it gets the header a loader would have made up.
void put_default_header(std::vector<u8>& page) {
  store<u16>(&page[kBootFlag], 0xaa55);
  std::copy_n("HdrS", 4, page.begin() + kMagic);
  store<u16>(&page[kVersion], 0x20f);
  store<u32>(&page[kKernelAlignment], 0x1000000);
}

void put_memory_map(std::span<const E820Entry> map, std::vector<u8>& page) {
  const u64 count = std::min<u64>(map.size(), kE820Limit);
  page[kE820Count] = static_cast<u8>(count);
  for (u64 i = 0; i < count; ++i) {
    u8* entry = &page[kE820Table + i * kE820EntrySize];
    store<u64>(entry, map[i].start);
    store<u64>(entry + 8, map[i].size);
    store<u32>(entry + 16, static_cast<u32>(map[i].type));
  }
}

void put_split(std::vector<u8>& page, u64 low, u64 high, u64 value) {
  store<u32>(&page[low], static_cast<u32>(value));
  store<u32>(&page[high], static_cast<u32>(value >> 32));
}

}  // namespace

std::vector<u8> linux_zero_page(const LinuxZeroPageFacts& facts) {
  std::vector<u8> page(kLinuxZeroPageSize);
  const u64 header_size = std::min<u64>(facts.setup_header.size(), kSetupHeaderEnd - kSetupHeader);
  std::copy_n(facts.setup_header.begin(), header_size, page.begin() + kSetupHeader);
  if (header_size == 0) put_default_header(page);
  page[kTypeOfLoader] = kUndefinedLoader;
  page[kLoadFlags] |= kLoadedHigh;
  store<u64>(&page[kRsdp], facts.rsdp);
  put_split(page, kCommandLine, kCommandLineHigh, facts.command_line);
  put_split(page, kInitrd, kInitrdHigh, facts.initrd);
  put_split(page, kInitrdSize, kInitrdSizeHigh, facts.initrd_size);
  put_memory_map(facts.memory_map, page);
  return page;
}

}  // namespace kite
