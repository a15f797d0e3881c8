// An option ROM that starts a Linux kernel which fw_cfg has.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace kite {

// One copy by fw_cfg's DMA: the first `size` bytes of the item to `address`.
struct FwCfgCopy {
  u16 key = 0;
  u32 size = 0;
  Gpa address = 0;
};

inline constexpr std::size_t kMostFwCfgCopies = 8;

// The ROM (Plug and Play BIOS 1.0A 3.2) offers itself to firmware as a boot device. Chosen, it
// makes the copies and enters the kernel's setup code, which they have put at `setup`, as
// boot.rst's "Running the kernel" wants it; its stack ends below `setup` + 64 KiB. When a copy
// fails, it hands back to the firmware (INT 18h).
std::vector<u8> linux_boot_rom(std::span<const FwCfgCopy> copies, Gpa setup);

}  // namespace kite
