// Binary floating point in integers: numbers of every x86 format unpacked, rounded and flagged.
//
// All formats share one unpacked form and one rounding routine, so single, double and extended
// arithmetic have the same code and the same result on every host. Nothing here reads or changes
// the host's floating-point environment.
#pragma once

#include "base/types.h"

namespace kite::fpu {

// The six exceptions in the order FSW and MXCSR both have them (SDM 1 8.1.3.3, 10.2.3).
enum Flag : u8 {
  kInvalid = 1,
  kDenormal = 2,
  kZeroDivide = 4,
  kOverflow = 8,
  kUnderflow = 16,
  kPrecision = 32,
};
// Found before anything is computed: unmasked, they leave the destination as it was.
inline constexpr u8 kBeforeComputing = kInvalid | kDenormal | kZeroDivide;

// The rounding-control field of FCW and MXCSR (SDM 1 table 4-8).
enum class Rounding : u8 { kNearest, kDown, kUp, kZero };

// A format: its bits of precision and the exponents of 1.f · 2^e.
struct Format {
  int precision;
  int min_exponent;
  int max_exponent;
};
inline constexpr Format kHalf{11, -14, 15};
inline constexpr Format kSingle{24, -126, 127};
inline constexpr Format kDouble{53, -1022, 1023};
inline constexpr Format kExtended{64, -16382, 16383};

enum class Kind : u8 { kZero, kFinite, kInfinity, kQuietNan, kSignalingNan, kUnsupported };

// Finite: significand · 2^(exponent − 63), bit 63 set except in a denormal result.
// NaN: the significand as the extended format has it, bit 62 the quiet bit.
struct Number {
  Kind kind = Kind::kZero;
  bool sign = false;
  bool denormal = false;  // was denormal (or pseudo-denormal) in its format
  i32 exponent = 0;
  u64 significand = 0;

  bool nan() const { return kind == Kind::kQuietNan || kind == Kind::kSignalingNan; }
  bool zero() const { return kind == Kind::kZero; }
  bool finite() const { return kind == Kind::kFinite; }
  bool infinite() const { return kind == Kind::kInfinity; }
};

// How an operation is to be carried out: the facts FCW or MXCSR give.
struct Control {
  Format format = kExtended;
  Rounding rounding = Rounding::kNearest;
  u8 masks = 0x3f;
  bool flush_to_zero = false;  // MXCSR.FTZ
  bool first_nan = false;      // SSE: the first NaN wins; x87: the larger significand (SDM 1 4-7)
};

struct Result {
  Number value;
  u8 flags = 0;
  bool rounded_up = false;  // what FSW.C1 shows
};

inline constexpr Number kDefaultNan{Kind::kQuietNan, true, false, 0, u64{3} << 62};

constexpr Number zero(bool sign) {
  return {Kind::kZero, sign, false, 0, 0};
}
constexpr Number infinity(bool sign) {
  return {Kind::kInfinity, sign, false, 0, 0};
}
constexpr Number one(bool sign = false) {
  return {Kind::kFinite, sign, false, 0, u64{1} << 63};
}
constexpr Number quieted(Number nan) {
  nan.kind = Kind::kQuietNan;
  nan.significand |= u64{3} << 62;
  return nan;
}

Number unpack_half(u16 bits);
Number unpack_single(u32 bits);
Number unpack_double(u64 bits);
u16 pack_half(const Number& number);
u32 pack_single(const Number& number);
u64 pack_double(const Number& number);

// significand · 2^(exponent − 127), not zero, rounded to the control's format. Bit 0 stands for
// everything that did not fit.
Result round(const Control& control, bool sign, i32 exponent, u128 significand);
// A finite or special number brought into the control's format (conversion; SNaN raises invalid).
Result convert(const Control& control, const Number& a);

Result add(const Control& control, const Number& a, const Number& b);
Result subtract(const Control& control, const Number& a, const Number& b);
Result multiply(const Control& control, const Number& a, const Number& b);
Result divide(const Control& control, const Number& a, const Number& b);
Result square_root(const Control& control, const Number& a);

// What a fused multiply-add turns the sign of, once NaNs have been dealt with.
enum Negate : u8 { kNegateNothing = 0, kNegateProduct = 1, kNegateAddend = 2 };
// ±(a · b) ± c, rounded once. The first NaN of a, b, c wins (SDM 1 table 14-17).
Result multiply_add(const Control& control, const Number& a, const Number& b, const Number& c,
                    u8 negate);

// The integral value next to `a` in the rounding direction, in a's own format.
Result round_to_integral(const Control& control, const Number& a);

// The NaN (or invalid) answer of an operation with a NaN or unsupported operand.
Result propagate(const Control& control, const Number& a, const Number& b);

enum class Order : u8 { kLess, kEqual, kGreater, kUnordered };
Order compare(const Number& a, const Number& b);

// `a` as a signed (or unsigned) integer of `width` bits; out of range or NaN: kInvalid and the
// "integer indefinite" 80…0 (unsigned: all ones).
struct IntegerResult {
  u64 value = 0;
  u8 flags = 0;
  bool rounded_up = false;
};
IntegerResult to_integer(Rounding rounding, const Number& a, unsigned width);
Number from_integer(i64 value);

}  // namespace kite::fpu
