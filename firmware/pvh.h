// PVH: the start-of-day structures of the Xen HVM boot ABI
// (xen/include/public/arch-x86/hvm/start_info.h).
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "firmware/e820.h"

namespace kite {

inline constexpr u32 kPvhMagic = 0x336ec578;  // "xEn3" with bit 7 of the E set

struct PvhFacts {
  std::span<const E820Entry> memory_map;
  Gpa command_line = 0;  // 0: none
  Gpa initrd = 0;        // 0: none
  u64 initrd_size = 0;
  Gpa rsdp = 0;  // 0: none
};

// hvm_start_info, then the module list, then the memory map; to be put at `address`, which goes to
// EBX.
std::vector<u8> pvh_start_info(const PvhFacts& facts, Gpa address);

}  // namespace kite
