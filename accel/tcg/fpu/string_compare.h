// PCMPxSTRx (SDM 2B "PCMPESTRI", 2B 4.1): one comparison unit for the four string instructions.
#pragma once

#include "accel/tcg/fpu/vector.h"

namespace kite {

struct StringCompare {
  u32 result = 0;         // IntRes2, a bit per element
  unsigned elements = 0;  // 8 or 16
  bool carry = false, zero = false, sign = false, overflow = false;

  unsigned index(u8 control) const;  // …STRI: the lowest or highest set bit, or `elements`
  Vec128 mask(u8 control) const;     // …STRM: a bit mask or one mask per element
};

// Lengths are in elements, already saturated by the caller for the explicit form: see below.
StringCompare compare_strings(const Vec128& a, unsigned a_length, const Vec128& b,
                              unsigned b_length, u8 control);

// The length of a zero-terminated string (PCMPISTRx), and of one EAX or EDX gives (PCMPESTRx).
unsigned implicit_length(const Vec128& a, u8 control);
unsigned explicit_length(i64 value, u8 control);

}  // namespace kite
