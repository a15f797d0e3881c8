#include "accel/tcg/fpu/float80.h"

#include <algorithm>
#include <bit>

#include "base/bits.h"

namespace kite::fpu {
namespace {

constexpr i32 kBias = 16383;

// Both remainders once the operands are known to be finite and not zero.
// Widening the dividend by at most 63 bits keeps it in 128.
struct Division {
  u64 rest;      // of the significands, at exponent `exponent`
  i32 exponent;  // of the rest's bit 63
  u128 quotient;
};

Division divide_significands(const Number& a, const Number& b, i32 steps, i32 left) {
  const u128 dividend = u128{a.significand} << steps;
  const u128 quotient = dividend / b.significand;
  return {static_cast<u64>(dividend - quotient * b.significand), b.exponent + left, quotient};
}

Result exact(const Control& control, bool sign, i32 exponent, u64 significand, u8 flags) {
  if (significand == 0) return {zero(sign), flags, false};
  Control full = control;
  full.format = kExtended;  // precision control does not reach FPREM (SDM 1 8.1.5.2)
  Result result = round(full, sign, exponent, u128{significand} << 64);
  result.flags |= flags;
  return result;
}

// What FPREM and FPREM1 answer without dividing; false: divide.
bool remainder_special(const Control& control, const Number& a, const Number& b, Result& result) {
  if (a.kind >= Kind::kQuietNan || b.kind >= Kind::kQuietNan) {
    result = propagate(control, a, b);
    return true;
  }
  if (a.infinite() || b.zero()) {
    result = {kDefaultNan, kInvalid, false};
    return true;
  }
  const u8 flags = a.denormal || b.denormal ? kDenormal : 0;
  result = {a, flags, false};
  if ((flags & ~control.masks) || a.zero()) return true;
  if (!b.infinite()) return false;
  // Dividing by infinity leaves a as it is. A denormal underflows then on AMD's processors where
  // that is not masked, on Intel's it does not.
  Control quiet = control;
  quiet.masks |= kUnderflow;
  result = exact(quiet, a.sign, a.exponent, a.significand, flags);
  return true;
}

// Far apart operands are reduced by 32 to 63 bits at a time, as the processors do.
RemainderResult reduce_partially(const Control& control, const Number& a, const Number& b,
                                 i32 distance, u8 flags) {
  const i32 steps = 32 + distance % 32;
  const Division d = divide_significands(a, b, steps, distance - steps);
  return {exact(control, a.sign, d.exponent, d.rest, flags), true, 0};
}

struct Constant {
  u64 significand;  // truncated
  i32 exponent;
  u8 next;  // the two bits that follow, and whether more do: for rounding
};
// ln and log constants as in SDM 2A "FLD1…"; `next` in units of 1/4 ulp, 3 bits: bb1.
constexpr Constant kConstants[] = {
    {0x8000000000000000, 0, 0}, {0xd49a784bcd1b8afe, 1, 3},  {0xb8aa3b295c17f0bb, 0, 5},
    {0xc90fdaa22168c234, 1, 7}, {0x9a209a84fbcff798, -2, 5}, {0xb17217f7d1cf79ab, -1, 7},
};

}  // namespace

Number unpack(const Float80& value) {
  const bool sign = value.sign_exponent >> 15;
  const i32 exponent = value.sign_exponent & 0x7fff;
  const u64 significand = value.significand;
  const bool integer_bit = significand >> 63;
  if (exponent == 0x7fff) {
    if (!integer_bit) return {Kind::kUnsupported, sign, false, 0, significand};
    if (significand == bit(63)) return infinity(sign);
    const Kind kind = bits(significand, 62, 62) ? Kind::kQuietNan : Kind::kSignalingNan;
    return {kind, sign, false, 0, significand};
  }
  if (exponent && !integer_bit) return {Kind::kUnsupported, sign, false, 0, significand};
  if (exponent) return {Kind::kFinite, sign, false, exponent - kBias, significand};
  if (significand == 0) return zero(sign);
  const int shift = std::countl_zero(significand);
  return {Kind::kFinite, sign, true, 1 - kBias - shift, significand << shift};
}

Float80 pack(const Number& number) {
  const u16 sign = static_cast<u16>(number.sign << 15);
  const u16 top = static_cast<u16>(sign | 0x7fff);
  switch (number.kind) {
    case Kind::kZero:
      return {0, sign};
    case Kind::kInfinity:
      return {bit(63), top};
    case Kind::kFinite: {
      i32 exponent = number.exponent;
      u64 significand = number.significand;
      if (exponent < 1 - kBias) {  // a denormal operand handed through unchanged
        significand >>= std::min(1 - kBias - exponent, 63);
        exponent = 1 - kBias;
      }
      const i32 biased = significand >> 63 ? exponent + kBias : 0;
      return {significand, static_cast<u16>(sign | (biased & 0x7fff))};
    }
    default:
      return {number.significand, top};
  }
}

Class classify(const Float80& value) {
  const Number number = unpack(value);
  switch (number.kind) {
    case Kind::kZero:
      return Class::kZero;
    case Kind::kFinite:
      return number.denormal ? Class::kDenormal : Class::kNormal;
    case Kind::kInfinity:
      return Class::kInfinity;
    case Kind::kUnsupported:
      return Class::kUnsupported;
    default:
      return Class::kNan;
  }
}

RemainderResult remainder_truncated(const Control& control, const Number& a, const Number& b) {
  Result done;
  if (remainder_special(control, a, b, done)) return {done};
  const i32 distance = a.exponent - b.exponent;
  if (distance < 0) return {exact(control, a.sign, a.exponent, a.significand, done.flags)};
  if (distance >= 64) return reduce_partially(control, a, b, distance, done.flags);
  const Division d = divide_significands(a, b, distance, 0);
  return {exact(control, a.sign, d.exponent, d.rest, done.flags), false,
          static_cast<u8>(d.quotient & 7)};
}

RemainderResult remainder_nearest(const Control& control, const Number& a, const Number& b) {
  Result done;
  if (remainder_special(control, a, b, done)) return {done};
  const i32 distance = a.exponent - b.exponent;
  if (distance < -1) return {exact(control, a.sign, a.exponent, a.significand, done.flags)};
  if (distance >= 64) return reduce_partially(control, a, b, distance, done.flags);
  if (distance == -1) {
    // a is b/4 … b: either it stays, or b is taken away once (b counts double at a's exponent).
    if (a.significand <= b.significand)
      return {exact(control, a.sign, a.exponent, a.significand, done.flags)};
    const u128 rest = (u128{b.significand} << 1) - a.significand;
    return {exact(control, !a.sign, a.exponent, static_cast<u64>(rest), done.flags), false, 1};
  }
  Division d = divide_significands(a, b, distance, 0);
  const u128 twice = u128{d.rest} << 1;
  bool sign = a.sign;
  if (twice > b.significand || (twice == b.significand && (d.quotient & 1))) {
    d.rest = b.significand - d.rest;
    ++d.quotient;
    sign = !sign;
  }
  return {exact(control, sign, d.exponent, d.rest, done.flags), false,
          static_cast<u8>(d.quotient & 7)};
}

Result scale(const Control& control, const Number& a, const Number& b) {
  if (a.kind >= Kind::kQuietNan || b.kind >= Kind::kQuietNan) return propagate(control, a, b);
  if (b.infinite()) {
    if (b.sign ? a.infinite() : a.zero()) return {kDefaultNan, kInvalid, false};
  }
  const u8 flags = a.denormal || b.denormal ? kDenormal : 0;
  if (flags & ~control.masks) return {a, flags, false};
  if (b.infinite()) return {b.sign ? zero(a.sign) : infinity(a.sign), flags, false};
  if (!a.finite()) return {a, flags, false};
  // Beyond ±2^16 the answer is the same overflow or underflow.
  constexpr i32 kFar = 1 << 16;
  i32 count = 0;
  if (b.finite() && b.exponent >= 0) {
    count = b.exponent > 15 ? kFar : static_cast<i32>(b.significand >> (63 - b.exponent));
    if (b.sign) count = -count;
  }
  Control full = control;
  full.format = kExtended;
  Result result = round(full, a.sign, a.exponent + count, u128{a.significand} << 64);
  result.flags |= flags;
  return result;
}

ExtractResult extract(const Control& control, const Number& a) {
  if (a.kind >= Kind::kQuietNan) {
    const Result nan = propagate(control, a, a);
    return {nan.value, nan.value, nan.flags};
  }
  if (a.zero()) return {infinity(true), a, kZeroDivide};
  if (a.infinite()) return {infinity(false), a, 0};
  Number significand = a;
  significand.exponent = 0;
  significand.denormal = false;
  return {from_integer(a.exponent), significand, static_cast<u8>(a.denormal ? kDenormal : 0)};
}

Number from_bcd(const Bcd& bcd) {
  u64 value = 0;
  for (int digit = 17; digit >= 0; --digit) {
    const u64 nibble = digit >= 16 ? bits(bcd.high, (digit - 16) * 4 + 3, (digit - 16) * 4)
                                   : bits(bcd.low, digit * 4 + 3, digit * 4);
    value = value * 10 + nibble;
  }
  Number number = from_integer(static_cast<i64>(value));
  number.sign = bcd.high >> 15;
  return number;
}

BcdResult to_bcd(Rounding rounding, const Number& a) {
  constexpr u64 kLimit = 999'999'999'999'999'999;
  const BcdResult indefinite{{u64{3} << 62, 0xffff}, kInvalid, false};
  const IntegerResult integer = to_integer(rounding, a, 64);
  if (integer.flags & kInvalid) return indefinite;
  u64 magnitude = a.sign ? u64{0} - integer.value : integer.value;
  if (magnitude > kLimit) return indefinite;
  BcdResult result{{0, static_cast<u16>(a.sign << 15)}, integer.flags, integer.rounded_up};
  for (int digit = 0; digit < 18; ++digit, magnitude /= 10) {
    const u64 nibble = magnitude % 10;
    if (digit < 16)
      result.value.low |= nibble << (4 * digit);
    else
      result.value.high |= static_cast<u16>(nibble << (4 * (digit - 16)));
  }
  return result;
}

Float80 constant(Rounding rounding, unsigned index) {
  if (index > 5) return {};  // FLDZ
  const Constant& c = kConstants[index];
  const u128 significand = u128{c.significand} << 64 | u128{c.next} << 61;
  return pack(round({kExtended, rounding}, false, c.exponent, significand).value);
}

}  // namespace kite::fpu
