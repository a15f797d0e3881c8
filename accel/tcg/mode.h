// Mode: what the meaning of bytes depends on.
#pragma once

#include <bit>

#include "base/types.h"

namespace kite::tcg {

enum class Access : u8 { kRead, kWrite, kExecute };

// What decoding and checking depend on besides the bytes: part of a block's identity.
struct Mode {
  u16 code_width : 2 = 1;  // 1 = 16, 2 = 32, 3 = 64 bits: CS.D and CS.L
  u16 stack32 : 1 = 0;     // SS.B
  u16 cpl : 2 = 0;
  u16 protected_mode : 1 = 0;
  u16 v86 : 1 = 0;
  u16 x87_trap : 2 = 0;   // CR0.EM or CR0.TS: the x87 instruction raises #NM
  u16 sse_trap : 2 = 0;   // 1: #UD (CR0.EM, no CR4.OSFXSR), 2: #NM (CR0.TS)
  u16 single : 1 = 0;     // blocks of one instruction: TF, breakpoints, interrupt shadow
  u16 wait_trap : 1 = 0;  // CR0.MP and CR0.TS: WAIT raises #NM
  u16 avx_trap : 2 = 0;   // 1: #UD (no CR4.OSXSAVE, XCR0 without AVX), 2: #NM (CR0.TS)
  u16 limited : 1 = 0;    // CS has a limit below 4 GiB: a block ends where it does
  u16 key() const { return std::bit_cast<u16>(*this); }
};
static_assert(sizeof(Mode) == 2);

}  // namespace kite::tcg
