// Linux's boot_params, the "zero page" (Documentation/arch/x86/zero-page.rst, boot.rst).
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "firmware/e820.h"

namespace kite {

struct LinuxZeroPageFacts {
  std::span<const u8> setup_header;       // bytes from 1F1h of the bzImage on; empty: none
  std::span<const E820Entry> memory_map;  // at most 128 entries are passed on
  Gpa command_line = 0;
  Gpa initrd = 0;
  u64 initrd_size = 0;
  Gpa rsdp = 0;
};

inline constexpr u64 kLinuxZeroPageSize = 4096;

std::vector<u8> linux_zero_page(const LinuxZeroPageFacts& facts);

}  // namespace kite
