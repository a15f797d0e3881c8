// One instruction with everything it starts from, and everything it leaves behind: what the
// processor and the interpreter are compared by.
#pragma once

#include <array>
#include <cstring>

#include "base/bits.h"
#include "base/types.h"

namespace kite::oracle {

// Linear addresses of both sides, low so that 32-bit addresses and displacements reach them. Around
// each group nothing is mapped.
inline constexpr u64 kCodeBase = 0x20000000;
inline constexpr u64 kSlotSize = 32;  // an instruction, the way back, INT3
inline constexpr u64 kSlots = 1024;
inline constexpr u64 kCodeSize = kSlots * kSlotSize;
inline constexpr u64 kWayBackSize = 5;  // JMP rel32, behind the instruction
inline constexpr u64 kTail = 22;  // from here to the end of a slot stands INT3: branch targets
inline constexpr u64 kDataBase = 0x20100000;      // two pages to write to
inline constexpr u64 kReadOnlyBase = 0x20102000;  // behind them one to read
inline constexpr u64 kLastBase = 0x20104000;      // alone: one to write to
inline constexpr u64 kFsBase = 0x20100010, kGsBase = 0x20100100;

// The pages that may change, in the order in which Change::offset counts them.
inline constexpr std::array<u64, 3> kWritablePages = {kDataBase, kDataBase + kPageSize, kLastBase};

// Where in each data page an area stands that XRSTOR may like.
inline constexpr u64 kStateArea = 0x800;

// The standard form of an XSAVE area (SDM 1 13.4) with x87, SSE and AVX state.
struct alignas(64) Image {
  std::array<u8, 832> bytes = {};
  static constexpr unsigned kFop = 6, kFip = 8, kFdp = 16;
  static constexpr unsigned kMxcsr = 24, kSt = 32, kXmm = 160, kHeader = 512, kYmm = 576;
};

struct Case {
  std::array<u8, 16> code = {};
  u8 length = 0;
  bool vectors = false;   // loads and compares the image
  bool segments = false;  // compares the segment registers
  u8 image = 0;           // number in the Pool
  u32 register_seed = 0;  // of fill_registers(), which some of `gpr` still follow
  u64 rip = 0;            // of the slot
  u64 rflags = 2;
  std::array<u64, 16> gpr = {};
};

// What the cases of a batch share.
struct Pool {
  std::array<Image, 64> images;
  alignas(64) std::array<u8, kPageSize> page;  // what each data page holds before each case
};

// A word of the writable pages that is not as it was.
struct Change {
  u64 offset = 0;
  u64 value = 0;
  bool operator==(const Change&) const = default;
};

// Of ES, DS, FS and GS; what else segments have is not seen in 64-bit mode.
struct Selectors {
  std::array<u16, 4> values = {};
  u64 fs_base = kFsBase, gs_base = kGsBase;
  bool operator==(const Selectors&) const = default;
};

struct Outcome {
  static constexpr u8 kWentOn = 255;  // no exception
  static constexpr u8 kLanded = 254;  // a branch led elsewhere: RIP is where to
  static constexpr u8 kDied = 253;    // the process was lost
  static constexpr unsigned kMaxChanges = 128;
  u8 vector = kWentOn;
  u32 error_code = 0;
  u64 cr2 = 0;
  u64 rip = 0;
  u64 rflags = 0;
  std::array<u64, 16> gpr = {};
  u32 change_count = 0;  // may be more than are listed
  std::array<Change, kMaxChanges> changes;
  Image image;          // if Case::vectors
  Selectors selectors;  // if Case::segments
};

// Compares `page` with what it held, notes the differences and undoes them. `number` is the page's
// in kWritablePages.
inline void collect_changes(u8* page, const Pool& pool, u64 number, Outcome& outcome) {
  if (std::memcmp(page, pool.page.data(), kPageSize) == 0) [[likely]]
    return;
  for (u64 i = 0; i < kPageSize; i += 8) {
    const u64 before = load<u64>(&pool.page[i]), now = load<u64>(page + i);
    if (now == before) continue;
    if (outcome.change_count < Outcome::kMaxChanges)
      outcome.changes[outcome.change_count] = {number * kPageSize + i, now};
    ++outcome.change_count;
    store<u64>(page + i, before);
  }
}

}  // namespace kite::oracle
