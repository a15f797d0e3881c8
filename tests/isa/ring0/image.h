// What stands in memory and in the processor before a case makes its changes.
#pragma once

#include "tests/isa/ring0/case.h"

namespace kite::ring0 {

// A legacy descriptor of `limit` in bytes or pages; `access` is byte 5, `flags` the upper half of
// byte 6.
constexpr u64 describe(u64 base, u32 limit, u8 access, u8 flags) {
  return (limit & 0xffff) | (base & 0xffffff) << 16 | u64{access} << 40 |
         u64{(limit >> 16) & 0xf} << 48 | u64{flags} << 52 | (base >> 24 & 0xff) << 56;
}

// Tables, stacks and code for this mode.
Ram memory_for(Mode mode, unsigned cpl);

// The processor in that mode, about to execute at kCodePage.
X86State state_for(Mode mode, unsigned cpl);

// Address of the entry that maps the page at `linear`, below kRamSize, in the mode's tables.
u32 page_entry(Mode mode, u32 linear);

// What `selector` loads from the memory's tables, as the mode reads them.
Segment segment_from(const Ram& ram, Mode mode, u16 selector);

}  // namespace kite::ring0
