// Page tables of a guest (SDM 3A 4.5).
#include "firmware/selftest/runtime/guest.h"

extern "C" {
extern guest::u64 page_table_512g[512];
void* memcpy(void* to, const void* from, unsigned long size);
}

namespace guest {

namespace {

constexpr unsigned kArenaPages = 64;
alignas(4096) u8 arena[kArenaPages][4096];
unsigned arena_used;

constexpr u64 kAddressMask = 0x000f'ffff'ffff'f000;

u64* table_below(u64* table, u64 address, int shift) {
  u64& entry = table[address >> shift & 511];
  if (!(entry & kPresent)) entry = new_page() | kPresent | kWritable | kUser;
  return reinterpret_cast<u64*>(entry & kAddressMask);
}

}  // namespace

u64 new_page() {
  if (arena_used == kArenaPages) {
    print("no page left\n");
    leave(0x7d);
  }
  return reinterpret_cast<u64>(arena[arena_used++]);
}

volatile u64& page_entry(u64 address, bool large) {
  u64* table = table_below(page_table_512g, address, 39);
  table = table_below(table, address, 30);
  if (large) return table[address >> 21 & 511];
  return table_below(table, address, 21)[address >> 12 & 511];
}

void map(u64 address, u64 physical, u64 flags) {
  page_entry(address) = physical | flags;
  invlpg(address);
}

void map_code(u64 address, const void* begin, const void* end, u64 flags) {
  const u64 page = new_page();
  memcpy(
      reinterpret_cast<void*>(page), begin,
      static_cast<unsigned long>(static_cast<const char*>(end) - static_cast<const char*>(begin)));
  map(address, page, flags);
}

}  // namespace guest
