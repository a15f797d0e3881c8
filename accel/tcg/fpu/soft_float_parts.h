// What the operations on Number are made of, for the files that implement them.
#pragma once

#include <bit>

#include "accel/tcg/fpu/soft_float.h"

namespace kite::fpu::detail {

inline int leading_zeros(u128 value) {
  const u64 high = static_cast<u64>(value >> 64);
  return high ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<u64>(value));
}

// Right shift that keeps a trace of the bits lost in bit 0.
inline u128 shift_right_sticky(u128 value, i64 count) {
  if (count == 0) return value;
  if (count > 127) return value != 0;
  const bool lost = (value << (128 - count)) != 0;
  return (value >> count) | lost;
}

// Flags of the operands themselves; NaNs have been dealt with.
inline u8 denormal_flag(const Number& a, const Number& b) {
  return a.denormal || b.denormal ? kDenormal : 0;
}

inline bool stops(const Control& control, u8 flags) {
  return (flags & ~control.masks & kBeforeComputing) != 0;
}

inline Result invalid() {
  return {kDefaultNan, kInvalid, false};
}

inline Result with_flags(Result result, u8 flags) {
  result.flags |= flags;
  return result;
}

inline bool special(const Number& a) {
  return a.kind >= Kind::kQuietNan;
}

}  // namespace kite::fpu::detail
