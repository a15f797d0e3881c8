// Page-table entries and page-fault error codes (SDM 3A 4.5, 4.7).
#pragma once

#include "base/bits.h"
#include "base/types.h"

namespace kite {

namespace pte {
inline constexpr u64 kPresent = bit(0);
inline constexpr u64 kWritable = bit(1);
inline constexpr u64 kUser = bit(2);
inline constexpr u64 kPwt = bit(3);
inline constexpr u64 kPcd = bit(4);
inline constexpr u64 kAccessed = bit(5);
inline constexpr u64 kDirty = bit(6);
inline constexpr u64 kLarge = bit(7);  // of a PDE or PDPTE: maps a page
inline constexpr u64 kPat4k = bit(7);  // of a PTE
inline constexpr u64 kGlobal = bit(8);
inline constexpr u64 kPatLarge = bit(12);  // of an entry with kLarge
inline constexpr unsigned kKeyShift = 59;  // protection key, of an entry that maps a page
inline constexpr u64 kNoExecute = bit(63);
inline constexpr u64 kAddress = 0x000ffffffffff000;
}  // namespace pte

namespace page_fault {
inline constexpr u32 kPresent = 1 << 0;  // a rights violation, not a missing page
inline constexpr u32 kWrite = 1 << 1;
inline constexpr u32 kUser = 1 << 2;
inline constexpr u32 kReserved = 1 << 3;
inline constexpr u32 kFetch = 1 << 4;
inline constexpr u32 kProtectionKey = 1 << 5;
}  // namespace page_fault

// Bits of a linear address that 4-level and 5-level paging translate (SDM 3A 4.5).
inline constexpr unsigned kLinearBits4Level = 48, kLinearBits5Level = 57;

// Are the bits above the linear address's equal to its highest?
constexpr bool is_canonical(u64 address, unsigned linear_bits = kLinearBits4Level) {
  return address + bit(linear_bits - 1) < bit(linear_bits);
}

}  // namespace kite
