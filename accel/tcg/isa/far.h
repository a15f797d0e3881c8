// What far transfers, returns and interrupts share.
#pragma once

#include "accel/tcg/cpu.h"

namespace kite::tcg {

inline bool real_or_v86(const Cpu& cpu) {
  return !cpu.mode.protected_mode || cpu.mode.v86;
}

// Bytes of an operand width (Insn::width).
inline unsigned bytes_of(unsigned width) {
  return width == 3 ? 8 : width == 2 ? 4 : 2;
}

// A word of operand width `offset` bytes above the top of the stack, zero-extended.
inline bool peek_sized(Cpu& cpu, unsigned width, u64 offset, u64& value) {
  value = 0;
  if (width == 3) return cpu.peek<u64>(offset, value);
  u32 dword = 0;
  u16 word = 0;
  const bool ok = width == 2 ? cpu.peek<u32>(offset, dword) : cpu.peek<u16>(offset, word);
  value = width == 2 ? dword : word;
  return ok;
}

// To CS:IP as real and virtual-8086 mode load CS.
inline Flow enter_real(Cpu& cpu, u16 selector, u64 target) {
  if (target > cpu.segments[kCs].limit) return cpu.general_protection();
  cpu.load_segment(kCs, selector);
  cpu.rip = target;
  return Flow::kLeave;
}

}  // namespace kite::tcg
