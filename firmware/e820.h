// E820: the memory map a kernel is given (ACPI 6.5 section 15).
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace kite {

enum class E820Type : u32 { kRam = 1, kReserved = 2, kAcpi = 3, kNvs = 4 };

struct E820Entry {
  Gpa start = 0;
  u64 size = 0;
  E820Type type = E820Type::kRam;
  bool operator==(const E820Entry&) const = default;
};

struct RamWindow {
  Gpa start = 0;
  u64 size = 0;
};

// Splits `size` bytes of RAM as a PC does: below the 32-bit hole that ends at 4 GiB, the rest from
// 4 GiB up. `hole_start` is where the hole for memory-mapped devices begins.
std::vector<RamWindow> pc_ram_windows(u64 size, Gpa hole_start);

// What the kernel may use: the RAM windows, less the PC's low hole (the EBDA at 639 KiB to 1 MiB,
// reported as reserved) and less `taken`, whose entries keep their own type. Ascending, without
// overlaps, neighbours of one type joined.
std::vector<E820Entry> e820_map(std::span<const RamWindow> ram,
                                std::span<const E820Entry> taken = {});

// The bytes of RAM in a map.
u64 ram_size(std::span<const E820Entry> map);

}  // namespace kite
