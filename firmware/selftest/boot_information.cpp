// What the boot loader tells: PVH start information (Xen public/arch-x86/hvm/start_info.h) or the
// multiboot 1 structure.
#include "firmware/selftest/selftest.h"

extern "C" {
extern guest::u64 boot_magic, boot_information;
extern char image_start[], image_end[];
}

namespace selftest {

namespace {

constexpr u32 kPvhMagic = 0x336ec578, kMultibootMagic = 0x2badb002;
constexpr u32 kRam = 1;

void add(BootInformation& boot, u64 start, u64 size, u32 type) {
  if (boot.count < 32) boot.ranges[boot.count++] = {start, size, type == kRam};
}

BootInformation from_pvh(u64 at) {
  BootInformation boot = {"PVH", {}, 0, 0};
  boot.rsdp = volatile_read<u64>(at + 32);
  if (volatile_read<u32>(at + 4) < 1) return boot;  // version 0 has no memory map
  const u64 table = volatile_read<u64>(at + 40);
  const u32 entries = volatile_read<u32>(at + 48);
  for (u32 i = 0; i < entries; ++i) {
    const u64 entry = table + i * 24;
    add(boot, volatile_read<u64>(entry), volatile_read<u64>(entry + 8),
        volatile_read<u32>(entry + 16));
  }
  return boot;
}

BootInformation from_multiboot(u64 at) {
  BootInformation boot = {"multiboot", {}, 0, 0};
  const u32 flags = volatile_read<u32>(at);
  if (!(flags & 1 << 6)) {  // no memory map, but the sizes below and above 1 MiB
    if (flags & 1) add(boot, 0, volatile_read<u32>(at + 4) * 1024ull, kRam);
    if (flags & 1) add(boot, 1 << 20, volatile_read<u32>(at + 8) * 1024ull, kRam);
    return boot;
  }
  u64 entry = volatile_read<u32>(at + 48);
  const u64 end = entry + volatile_read<u32>(at + 44);
  while (entry < end) {
    add(boot, volatile_read<u64>(entry + 4), volatile_read<u64>(entry + 12),
        volatile_read<u32>(entry + 20));
    entry += volatile_read<u32>(entry) + 4;
  }
  return boot;
}

// A page of RAM keeps a pattern and is given back as it was.
bool keeps(u64 physical) {
  map(kWindow, physical, kPresent | kWritable);
  const u64 old = volatile_read<u64>(kWindow + 8);
  volatile_write<u64>(kWindow + 8, ~physical);
  const bool kept = volatile_read<u64>(kWindow + 8) == ~physical;
  volatile_write<u64>(kWindow + 8, old);
  return kept;
}

// The first and last page and 64 between; the program itself is RAM too, and survives.
bool range_keeps(const MemoryRange& range) {
  const u64 first = (range.start + 4095) & ~4095ull;
  const u64 last = (range.start + range.size - 4096) & ~4095ull;
  if (range.size < 4096 || last < first) return true;
  const u64 step = (((last - first) / 64) & ~4095ull) + 4096;
  for (u64 page = first; page <= last; page += step) {
    if (!keeps(page)) return false;
  }
  return keeps(last);
}

bool overlaps(const BootInformation& boot) {
  for (unsigned i = 0; i < boot.count; ++i) {
    for (unsigned j = 0; j < i; ++j) {
      const MemoryRange &a = boot.ranges[i], &b = boot.ranges[j];
      if (a.start < b.start + b.size && b.start < a.start + a.size) return true;
    }
  }
  return false;
}

bool holds_image(const MemoryRange& range) {
  return range.ram && range.start <= reinterpret_cast<u64>(image_start) &&
         range.start + range.size >= reinterpret_cast<u64>(image_end);
}

}  // namespace

BootInformation read_boot_information() {
  // PVH first: its structure has a magic number, while some loaders leave multiboot's in EAX.
  if (volatile_read<u32>(boot_information) == kPvhMagic) return from_pvh(boot_information);
  if (static_cast<u32>(boot_magic) == kMultibootMagic) return from_multiboot(boot_information);
  return {"unknown", {}, 0, 0};
}

void test_memory(const BootInformation& boot) {
  begin_note("entered by ");
  print(boot.protocol);
  end_note();
  if (!check(boot.count != 0, "memory map: there is one")) return;
  u64 total = 0;
  bool kept = true, image = false;
  for (unsigned i = 0; i < boot.count; ++i) {
    const MemoryRange& range = boot.ranges[i];
    begin_note(range.ram ? "RAM       " : "reserved  ");
    print_hex(range.start);
    print(" + ");
    print_hex(range.size);
    end_note();
    image |= holds_image(range);
    if (!range.ram) continue;
    total += range.size;
    kept &= range_keeps(range);
  }
  begin_note("RAM in all: ");
  print_decimal(total >> 20);
  print(" MiB");
  end_note();
  check(!overlaps(boot), "memory map: no two ranges overlap");
  check(image, "memory map: the program lies in RAM");
  check(kept, "memory map: RAM keeps what is written");
}

}  // namespace selftest
