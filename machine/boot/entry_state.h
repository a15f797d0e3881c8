// Entry state: what the boot processor's registers hold when a kernel gets control, and the tables
// they point to.
#pragma once

#include <vector>

#include "accel/x86/state.h"
#include "base/types.h"

namespace kite {

// Selectors of the GDT below; Linux wants just these (boot.rst, "64-bit boot protocol").
inline constexpr u16 kBootCodeSelector = 0x10;
inline constexpr u16 kBootDataSelector = 0x18;
inline constexpr u16 kBootTaskSelector = 0x20;

enum class EntryMode { kReal, kProtected, kLong };

// For layout::kGdt; real mode has none.
std::vector<u8> boot_gdt(EntryMode mode);
// For layout::kPageTables: the first 4 GiB, each address mapped to itself by 2 MiB pages.
std::vector<u8> identity_page_tables();

// Flat segments, interrupts off, RSP at layout::kStack. Real mode: CS and IP such that the linear
// address is `address`, below 64 KiB, with CS 0.
X86State entry_state(EntryMode mode, u64 address);

// Behind suspend to RAM, at the FACS's waking vector, which lies below 1 MiB.
X86State waking_state(u32 vector);

}  // namespace kite
