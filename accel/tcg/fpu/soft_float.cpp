#include "accel/tcg/fpu/soft_float.h"

#include <bit>
#include <cmath>

#include "accel/tcg/fpu/soft_float_parts.h"
#include "base/bits.h"

namespace kite::fpu {

using namespace detail;

namespace {

// Does rounding add one, given the bits below the last kept one?
bool round_away(Rounding rounding, bool sign, bool odd, u128 rest, u128 half) {
  switch (rounding) {
    case Rounding::kNearest:
      return rest > half || (rest == half && odd);
    case Rounding::kDown:
      return sign && rest != 0;
    case Rounding::kUp:
      return !sign && rest != 0;
    case Rounding::kZero:
      return false;
  }
  return false;
}

struct Rounded {
  u64 significand;  // left-aligned
  bool carry;       // became 2.0: the significand is 1.0 of the next exponent
  bool inexact;
  bool up;
};

Rounded round_bits(Rounding rounding, bool sign, int precision, u128 significand) {
  const int drop = 128 - precision;
  const u128 unit = u128{1} << drop;
  const u128 rest = significand & (unit - 1);
  const bool up = round_away(rounding, sign, (significand & unit) != 0, rest, unit >> 1);
  u128 kept = significand - rest;
  bool carry = false;
  if (up) {
    kept += unit;
    carry = kept == 0;
    if (carry) kept = u128{1} << 127;
  }
  return {static_cast<u64>(kept >> 64), carry, rest != 0, up};
}

// The masked answer to overflow (SDM 1 table 4-10) and the exponent the unmasked one shows.
constexpr i32 kExponentWrap = 24576;

Result overflow(const Control& control, bool sign, i32 exponent, const Rounded& rounded) {
  if (!(control.masks & kOverflow)) {
    if (exponent - kExponentWrap > control.format.max_exponent)  // only FSCALE (SDM 1 8.5.4)
      return {infinity(sign), kOverflow | kPrecision, true};
    const u8 flags = kOverflow | (rounded.inexact ? kPrecision : 0);
    return {{Kind::kFinite, sign, false, exponent - kExponentWrap, rounded.significand},
            flags,
            rounded.up};
  }
  const bool to_infinity = control.rounding == Rounding::kNearest ||
                           (control.rounding == Rounding::kUp && !sign) ||
                           (control.rounding == Rounding::kDown && sign);
  const u8 flags = kOverflow | kPrecision;
  if (to_infinity) return {infinity(sign), flags, true};
  const u64 largest = ~u64{0} << (64 - control.format.precision);
  return {{Kind::kFinite, sign, false, control.format.max_exponent, largest}, flags, false};
}

Result underflow(const Control& control, bool sign, i32 exponent, u128 significand,
                 const Rounded& rounded) {
  if (!(control.masks & kUnderflow)) {
    if (exponent + kExponentWrap < control.format.min_exponent)
      return {zero(sign), kUnderflow | kPrecision, false};
    const u8 flags = kUnderflow | (rounded.inexact ? kPrecision : 0);
    return {{Kind::kFinite, sign, false, exponent + kExponentWrap, rounded.significand},
            flags,
            rounded.up};
  }
  if (control.flush_to_zero) return {zero(sign), kUnderflow | kPrecision, false};
  const i64 shift = i64{control.format.min_exponent} - exponent + (rounded.carry ? 1 : 0);
  const Rounded small = round_bits(control.rounding, sign, control.format.precision,
                                   shift_right_sticky(significand, shift));
  const u8 flags = small.inexact ? kUnderflow | kPrecision : 0;
  if (small.significand == 0) return {zero(sign), flags, small.up};
  return {{Kind::kFinite, sign, false, control.format.min_exponent, small.significand},
          flags,
          small.up};
}

// The root of 2^126 … 2^128 − 1, rounded down: the host's estimate, one step of Newton's, and
// corrected until it is right, so that it does not depend on the host.
u64 integer_root(u128 radicand) {
  const double estimate = std::sqrt(static_cast<double>(radicand));
  u64 root = estimate < 0x1p64 ? static_cast<u64>(estimate) : ~u64{0};
  const i128 rest = static_cast<i128>(radicand - u128{root} * root);
  root += static_cast<u64>(static_cast<i64>(static_cast<double>(rest) / (2 * estimate)));
  while (u128{root} * root > radicand) --root;
  while (root != ~u64{0} && (u128{root} + 1) * (u128{root} + 1) <= radicand) ++root;
  return root;
}

template <int kFractionBits, int kExponentBits>
Number unpack_bits(u64 bits) {
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  constexpr int kTop = (1 << kExponentBits) - 1;
  const bool sign = (bits >> (kFractionBits + kExponentBits)) & 1;
  const int exponent = static_cast<int>(bits >> kFractionBits) & kTop;
  const u64 fraction = (bits & ((u64{1} << kFractionBits) - 1)) << (63 - kFractionBits);
  if (exponent == kTop) {
    if (fraction == 0) return infinity(sign);
    const Kind kind = fraction >> 62 ? Kind::kQuietNan : Kind::kSignalingNan;
    return {kind, sign, false, 0, fraction | bit(63)};
  }
  if (exponent) return {Kind::kFinite, sign, false, exponent - kBias, fraction | bit(63)};
  if (fraction == 0) return zero(sign);
  const int shift = std::countl_zero(fraction);
  return {Kind::kFinite, sign, true, 1 - kBias - shift, fraction << shift};
}

template <int kFractionBits, int kExponentBits>
u64 pack_bits(const Number& number) {
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  constexpr u64 kTop = (u64{1} << kExponentBits) - 1;
  constexpr u64 kFraction = (u64{1} << kFractionBits) - 1;
  const u64 sign = u64{number.sign} << (kFractionBits + kExponentBits);
  const u64 fraction = (number.significand >> (63 - kFractionBits)) & kFraction;
  switch (number.kind) {
    case Kind::kZero:
      return sign;
    case Kind::kFinite: {
      const bool normal = number.significand >> 63;
      const u64 biased = normal ? static_cast<u64>(number.exponent + kBias) & kTop : 0;
      return sign | biased << kFractionBits | fraction;
    }
    case Kind::kInfinity:
      return sign | kTop << kFractionBits;
    default:
      return sign | kTop << kFractionBits | fraction;
  }
}

}  // namespace

Number unpack_single(u32 bits) {
  return unpack_bits<23, 8>(bits);
}
Number unpack_double(u64 bits) {
  return unpack_bits<52, 11>(bits);
}
Number unpack_half(u16 bits) {
  return unpack_bits<10, 5>(bits);
}
u32 pack_single(const Number& number) {
  return static_cast<u32>(pack_bits<23, 8>(number));
}
u64 pack_double(const Number& number) {
  return pack_bits<52, 11>(number);
}
u16 pack_half(const Number& number) {
  return static_cast<u16>(pack_bits<10, 5>(number));
}

Result round(const Control& control, bool sign, i32 exponent, u128 significand) {
  const int shift = leading_zeros(significand);
  significand <<= shift;
  exponent -= shift;
  const Rounded rounded = round_bits(control.rounding, sign, control.format.precision, significand);
  const i32 final_exponent = exponent + rounded.carry;
  if (final_exponent > control.format.max_exponent)
    return overflow(control, sign, final_exponent, rounded);
  if (final_exponent < control.format.min_exponent)
    return underflow(control, sign, final_exponent, significand, rounded);
  const u8 flags = rounded.inexact ? kPrecision : 0;
  return {{Kind::kFinite, sign, false, final_exponent, rounded.significand}, flags, rounded.up};
}

Result convert(const Control& control, const Number& a) {
  if (special(a)) return propagate(control, a, a);
  if (!a.finite()) return {a, 0, false};
  const u8 flags = a.denormal ? kDenormal : 0;
  if (stops(control, flags)) return {a, flags, false};
  return with_flags(round(control, a.sign, a.exponent, u128{a.significand} << 64), flags);
}

Result propagate(const Control& control, const Number& a, const Number& b) {
  if (a.kind == Kind::kUnsupported || b.kind == Kind::kUnsupported) return invalid();
  const bool signaling = a.kind == Kind::kSignalingNan || b.kind == Kind::kSignalingNan;
  const u8 flags = signaling ? kInvalid : 0;
  if (!b.nan() || (a.nan() && control.first_nan)) return {quieted(a), flags, false};
  if (!a.nan()) return {quieted(b), flags, false};
  if (a.kind != b.kind) return {a.kind == Kind::kQuietNan ? a : quieted(b), flags, false};
  const bool first = a.significand != b.significand ? a.significand > b.significand : !a.sign;
  return {quieted(first ? a : b), flags, false};
}

Result add(const Control& control, const Number& a, const Number& b) {
  if (special(a) || special(b)) return propagate(control, a, b);
  const u8 flags = denormal_flag(a, b);
  if (a.infinite() && b.infinite() && a.sign != b.sign) return invalid();
  if (stops(control, flags)) return {a, flags, false};
  if (a.infinite()) return {a, flags, false};
  if (b.infinite()) return {b, flags, false};
  if (a.zero() && b.zero())
    return {zero(a.sign == b.sign ? a.sign : control.rounding == Rounding::kDown), flags, false};
  if (a.zero())
    return with_flags(round(control, b.sign, b.exponent, u128{b.significand} << 64), flags);
  if (b.zero())
    return with_flags(round(control, a.sign, a.exponent, u128{a.significand} << 64), flags);

  const bool swap =
      a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand);
  const Number& large = swap ? b : a;
  const Number& small = swap ? a : b;
  const u128 high = u128{large.significand} << 63;
  const u128 low =
      shift_right_sticky(u128{small.significand} << 63, i64{large.exponent} - small.exponent);
  const u128 sum = a.sign == b.sign ? high + low : high - low;
  if (sum == 0) return {zero(control.rounding == Rounding::kDown), flags, false};
  return with_flags(round(control, large.sign, large.exponent + 1, sum), flags);
}

Result subtract(const Control& control, const Number& a, const Number& b) {
  if (special(a) || special(b)) return propagate(control, a, b);
  Number negated = b;
  negated.sign = !b.sign;
  return add(control, a, negated);
}

Result multiply(const Control& control, const Number& a, const Number& b) {
  if (special(a) || special(b)) return propagate(control, a, b);
  const bool sign = a.sign != b.sign;
  if ((a.infinite() && b.zero()) || (a.zero() && b.infinite())) return invalid();
  const u8 flags = denormal_flag(a, b);
  if (stops(control, flags)) return {a, flags, false};
  if (a.infinite() || b.infinite()) return {infinity(sign), flags, false};
  if (a.zero() || b.zero()) return {zero(sign), flags, false};
  const u128 product = u128{a.significand} * b.significand;
  return with_flags(round(control, sign, a.exponent + b.exponent + 1, product), flags);
}

Result divide(const Control& control, const Number& a, const Number& b) {
  if (special(a) || special(b)) return propagate(control, a, b);
  const bool sign = a.sign != b.sign;
  if ((a.infinite() && b.infinite()) || (a.zero() && b.zero())) return invalid();
  if (b.zero() && a.finite()) return {infinity(sign), kZeroDivide, false};
  const u8 flags = denormal_flag(a, b);
  if (stops(control, flags)) return {a, flags, false};
  if (a.infinite() || b.zero()) return {infinity(sign), flags, false};
  if (a.zero() || b.infinite()) return {zero(sign), flags, false};
  // Two digits of 64 bits: the first fits because the dividend is halved where it must be.
  const bool halve = a.significand >= b.significand;
  const u128 dividend = u128{a.significand} << (halve ? 63 : 64);
  const u64 first = static_cast<u64>(dividend / b.significand);
  const u128 rest = dividend - u128{first} * b.significand;
  const u128 second_dividend = rest << 64;
  const u64 second = static_cast<u64>(second_dividend / b.significand);
  const bool sticky = second_dividend != u128{second} * b.significand;
  const u128 quotient = u128{first} << 64 | second | sticky;
  return with_flags(round(control, sign, a.exponent - b.exponent - (halve ? 0 : 1), quotient),
                    flags);
}

Result square_root(const Control& control, const Number& a) {
  if (special(a)) return propagate(control, a, a);
  if (a.zero()) return {a, 0, false};
  if (a.sign) return invalid();
  if (a.infinite()) return {a, 0, false};
  const u8 flags = denormal_flag(a, a);
  if (stops(control, flags)) return {a, flags, false};
  const bool odd = a.exponent & 1;
  const u128 radicand = u128{a.significand} << (odd ? 64 : 63);  // 01.x or 1x.x at the top
  const u64 root = integer_root(radicand);
  const u128 rest = radicand - u128{root} * root;
  // (root + 1/2)² is root² + root + 1/4: the next bit is set if more than root is left.
  const u128 significand = u128{root} << 64 | u128{rest > root} << 63 | u128{rest != 0};
  return with_flags(round(control, false, (a.exponent - odd) / 2, significand), flags);
}

Result round_to_integral(const Control& control, const Number& a) {
  if (special(a)) return propagate(control, a, a);
  const u8 flags = denormal_flag(a, a);
  if (stops(control, flags)) return {a, flags, false};
  if (!a.finite() || a.exponent >= 63) return {a, flags, false};
  // Shifted so that the units stand at bit 64.
  const u128 fixed = shift_right_sticky(u128{a.significand} << 64, 63 - i64{a.exponent});
  const Rounded rounded = round_bits(control.rounding, a.sign, 64, fixed);
  const u8 all = flags | (rounded.inexact ? kPrecision : 0);
  const u128 value = rounded.carry ? u128{1} << 64 : u128{rounded.significand};
  if (value == 0) return {zero(a.sign), all, rounded.up};
  const int shift = leading_zeros(value);
  const u64 significand = static_cast<u64>(value << shift >> 64);
  return {{Kind::kFinite, a.sign, false, 127 - shift, significand}, all, rounded.up};
}

Order compare(const Number& a, const Number& b) {
  if (special(a) || special(b)) return Order::kUnordered;
  if (a.zero() && b.zero()) return Order::kEqual;
  const auto order = [](bool less) { return less ? Order::kLess : Order::kGreater; };
  if (a.zero()) return order(!b.sign);
  if (b.zero() || a.sign != b.sign) return order(a.sign);
  if (a.infinite() && b.infinite()) return Order::kEqual;
  if (a.infinite()) return order(a.sign);
  if (b.infinite()) return order(!b.sign);
  if (a.exponent != b.exponent) return order((a.exponent < b.exponent) != a.sign);
  if (a.significand != b.significand) return order((a.significand < b.significand) != a.sign);
  return Order::kEqual;
}

IntegerResult to_integer(Rounding rounding, const Number& a, unsigned width) {
  const u64 indefinite = bit(width - 1);
  if (a.zero()) return {};
  if (!a.finite() || a.exponent > 63) return {indefinite, kInvalid, false};
  const u128 fixed = shift_right_sticky(u128{a.significand} << 64, 63 - i64{a.exponent});
  const Rounded rounded = round_bits(rounding, a.sign, 64, fixed);
  const u64 limit = a.sign ? indefinite : indefinite - 1;
  if (rounded.carry || rounded.significand > limit) return {indefinite, kInvalid, false};
  const u64 value = a.sign ? u64{0} - rounded.significand : rounded.significand;
  return {value, static_cast<u8>(rounded.inexact ? kPrecision : 0), rounded.up};
}

Number from_integer(i64 value) {
  if (value == 0) return zero(false);
  const u64 magnitude = value < 0 ? u64{0} - static_cast<u64>(value) : static_cast<u64>(value);
  const int shift = std::countl_zero(magnitude);
  return {Kind::kFinite, value < 0, false, 63 - shift, magnitude << shift};
}

}  // namespace kite::fpu
