// One instruction with everything it starts from, and everything it leaves behind.
#pragma once

#include <array>

#include "base/types.h"

namespace kite::isa {

// The user-mode linear addresses of both sides. Low, so that 32-bit addresses reach them; pages
// beside them are not mapped.
inline constexpr u64 kCodeBase = 0x20000000;
inline constexpr u64 kSlotSize = 16;  // the longest instruction and INT3
inline constexpr u64 kSlots = 4096;
inline constexpr u64 kCodeSize = kSlots * kSlotSize;
inline constexpr u8 kFiller = 0xcc;  // INT3, where no case stands
inline constexpr u64 kDataBase = 0x20100000;
inline constexpr u64 kDataSize = 2 * kPageSize;
inline constexpr u64 kReadOnlyBase = 0x20200000;

// Registers in the numbering of encodings.
struct Registers {
  std::array<u64, 16> gpr = {};
  u64 rip = 0;
  u64 rflags = 2;
};

struct VectorRegisters {
  std::array<std::array<u64, 2>, 16> xmm = {};
  std::array<std::array<u64, 2>, 8> st = {};  // 80 bits each
  u32 mxcsr = 0x1f80;
  u16 fcw = 0x37f;
  u16 fsw = 0;
  u8 ftw = 0;  // abridged
};

struct Case {
  std::array<u8, kSlotSize> code = {};  // INT3 behind the instruction
  u8 length = 0;
  bool single_step = false;  // TF set: stops behind the instruction wherever it leads
  Registers registers;       // RIP is the slot's
  VectorRegisters vectors;
};

// A word of the data pages that is not as it was.
struct Change {
  u32 offset = 0;
  u64 value = 0;
  bool operator==(const Change&) const = default;
};

struct Outcome {
  static constexpr unsigned kMaxChanges = 24;
  u8 vector = 0;  // the exception that stopped it
  u32 error_code = 0;
  u64 cr2 = 0;  // of a page fault
  Registers registers;
  VectorRegisters vectors;
  u32 change_count = 0;  // may be more than are listed
  std::array<Change, kMaxChanges> changes = {};
};

// What the data pages and the read-only page hold before each case.
constexpr u64 initial_word(u64 offset) {
  u64 x = offset / 8 * 0x9e3779b97f4a7c15 + 0x1234567;
  x ^= x >> 29;
  return offset % 64 == 0 ? 0 : offset % 64 == 8 ? ~u64{0} : x * 0xbf58476d1ce4e5b9;
}

// Compares the data pages with initial_word(), notes the differences and undoes them.
inline void collect_changes(u64* words, Outcome& outcome) {
  outcome.change_count = 0;
  outcome.changes = {};
  for (u32 i = 0; i < kDataSize / 8; ++i) {
    const u64 before = initial_word(i * 8);
    if (words[i] == before) continue;
    if (outcome.change_count < Outcome::kMaxChanges) {
      outcome.changes[outcome.change_count] = {i * 8, words[i]};
    }
    ++outcome.change_count;
    words[i] = before;
  }
}

}  // namespace kite::isa
