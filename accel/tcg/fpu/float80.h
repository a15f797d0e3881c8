// The 80-bit extended format and the x87 operations only it has: remainder, scale, extract, BCD.
#pragma once

#include "accel/tcg/fpu/soft_float.h"

namespace kite::fpu {

// As in a register or memory: integer bit explicit (SDM 1 4.2.2).
struct Float80 {
  u64 significand = 0;
  u16 sign_exponent = 0;

  bool operator==(const Float80&) const = default;
};

inline constexpr Float80 kIndefinite80{u64{3} << 62, 0xffff};

Number unpack(const Float80& value);
Float80 pack(const Number& number);  // `number` is a result in extended exponent range

// What FXAM says in C3, C2, C0 for a register that is not empty (SDM 2A FXAM).
enum class Class : u8 { kUnsupported, kNan, kNormal, kInfinity, kZero, kDenormal };
Class classify(const Float80& value);

// FPREM and FPREM1 (SDM 2A): exact; `partial` is C2, `quotient` its low three bits.
struct RemainderResult {
  Result result;
  bool partial = false;
  u8 quotient = 0;
};
RemainderResult remainder_truncated(const Control& control, const Number& a, const Number& b);
RemainderResult remainder_nearest(const Control& control, const Number& a, const Number& b);

// FSCALE: a · 2^trunc(b).
Result scale(const Control& control, const Number& a, const Number& b);

// FXTRACT: exponent and significand.
struct ExtractResult {
  Number exponent, significand;
  u8 flags = 0;
};
ExtractResult extract(const Control& control, const Number& a);

// FBLD, FBSTP: 18 decimal digits and a sign in ten bytes.
struct Bcd {
  u64 low = 0;   // digits 0…15
  u16 high = 0;  // digits 16, 17; bit 15 the sign
};
Number from_bcd(const Bcd& bcd);
struct BcdResult {
  Bcd value;
  u8 flags = 0;
  bool rounded_up = false;
};
BcdResult to_bcd(Rounding rounding, const Number& a);

// FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ in opcode order (D9 E8 … EE): they follow the
// rounding control, not the precision control.
Float80 constant(Rounding rounding, unsigned index);

}  // namespace kite::fpu
