// The fused multiply-add: the exact product of 128 bits, added and rounded once.
#include "accel/tcg/fpu/soft_float_parts.h"

namespace kite::fpu {
namespace {

using namespace detail;

// significand · 2^(exponent − 127), bit 127 set: an exact product or an addend.
struct Wide {
  bool sign;
  i32 exponent;
  u128 significand;
};

Wide product(const Number& a, const Number& b, bool sign) {
  const u128 significand = u128{a.significand} * b.significand;
  const int shift = leading_zeros(significand);  // 0 or 1
  return {sign, a.exponent + b.exponent + 1 - shift, significand << shift};
}

// Single and double leave at least 20 zeros below the product: halving loses nothing, and what the
// smaller one loses lies far below the bit that decides about rounding.
Result add_wide(const Control& control, const Wide& a, const Wide& b) {
  const bool swap =
      a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand);
  const Wide& large = swap ? b : a;
  const Wide& small = swap ? a : b;
  const u128 high = large.significand >> 1;
  const u128 low = shift_right_sticky(small.significand >> 1, i64{large.exponent} - small.exponent);
  const u128 sum = a.sign == b.sign ? high + low : high - low;
  if (sum == 0) return {zero(control.rounding == Rounding::kDown), 0, false};
  return round(control, large.sign, large.exponent + 1, sum);
}

Result first_nan(const Number& a, const Number& b, const Number& c) {
  const bool signaling = a.kind == Kind::kSignalingNan || b.kind == Kind::kSignalingNan ||
                         c.kind == Kind::kSignalingNan;
  const Number& first = special(a) ? a : special(b) ? b : c;
  return {quieted(first), static_cast<u8>(signaling ? kInvalid : 0), false};
}

}  // namespace

Result multiply_add(const Control& control, const Number& a, const Number& b, const Number& c,
                    u8 negate) {
  if (special(a) || special(b) || special(c)) return first_nan(a, b, c);
  const bool product_sign = (a.sign != b.sign) != ((negate & kNegateProduct) != 0);
  const bool sign = c.sign != ((negate & kNegateAddend) != 0);
  const bool infinite = a.infinite() || b.infinite();
  if (infinite && (a.zero() || b.zero())) return invalid();
  if (infinite && c.infinite() && product_sign != sign) return invalid();
  const u8 flags = denormal_flag(a, b) | denormal_flag(c, c);
  if (stops(control, flags)) return {a, flags, false};
  if (infinite || c.infinite()) return {infinity(infinite ? product_sign : sign), flags, false};
  const Wide addend{sign, c.exponent, u128{c.significand} << 64};
  if (a.zero() || b.zero()) {
    if (c.zero())
      return {zero(product_sign == sign ? sign : control.rounding == Rounding::kDown), flags,
              false};
    return with_flags(round(control, sign, addend.exponent, addend.significand), flags);
  }
  const Wide exact = product(a, b, product_sign);
  if (c.zero())
    return with_flags(round(control, product_sign, exact.exponent, exact.significand), flags);
  return with_flags(add_wide(control, exact, addend), flags);
}

}  // namespace kite::fpu
