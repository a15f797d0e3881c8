#include "accel/tcg/fpu/sse_float.h"

#include <cmath>

namespace kite::fpu {
namespace {

template <LaneBits B>
B pack_lane(const Number& number) {
  if constexpr (sizeof(B) == 4)
    return pack_single(number);
  else
    return pack_double(number);
}

template <LaneBits B>
Number unpack_lane(B bits) {
  if constexpr (sizeof(B) == 4)
    return unpack_single(bits);
  else
    return unpack_double(bits);
}

template <LaneBits B>
auto host(B bits) {
  return std::bit_cast<typename LaneTraits<B>::Host>(bits);
}

u8 denormal_flag(const Number& a, const Number& b) {
  return !a.nan() && !b.nan() && (a.denormal || b.denormal) ? kDenormal : 0;
}

}  // namespace

Control SimdFloat::control(const Format& format) const {
  return {format, static_cast<Rounding>(mxcsr_ >> 13 & 3), masks(), (mxcsr_ & kMxcsrFtz) != 0,
          true};
}

template <LaneBits B>
Number SimdFloat::unpack(B bits) const {
  const Number number = unpack_lane(bits);
  return number.denormal && (mxcsr_ & kMxcsrDaz) ? zero(number.sign) : number;
}

template <LaneBits B>
B SimdFloat::take(const Result& result) {
  flags_ |= result.flags;
  return pack_lane<B>(result.value);
}

template <LaneBits B>
B SimdFloat::exact_binary(B a, B b, Binary operation) {
  return take<B>(operation(control(LaneTraits<B>::format), unpack(a), unpack(b)));
}

template <LaneBits B>
B SimdFloat::exact_multiply_add(B a, B b, B c, u8 negate) {
  return take<B>(
      fpu::multiply_add(control(LaneTraits<B>::format), unpack(a), unpack(b), unpack(c), negate));
}

template <LaneBits B>
B SimdFloat::square_root(B a) {
  if (quick_ && normal_or_zero(a) && !(a >> (8 * sizeof(B) - 1)))
    return std::bit_cast<B>(std::sqrt(host(a)));
  return take<B>(fpu::square_root(control(LaneTraits<B>::format), unpack(a)));
}

template <LaneBits B>
B SimdFloat::choose(B a, B b, Order wanted) {
  if (normal_or_zero(a) && normal_or_zero(b))
    return (wanted == Order::kLess ? host(a) < host(b) : host(a) > host(b)) ? a : b;
  const Number x = unpack(a), y = unpack(b);
  if (x.nan() || y.nan()) {
    flags_ |= kInvalid;
    return y.zero() ? pack_lane<B>(y) : b;
  }
  flags_ |= denormal_flag(x, y);
  const bool first = fpu::compare(x, y) == wanted;
  const Number& chosen = first ? x : y;
  return chosen.zero() ? pack_lane<B>(chosen) : first ? a : b;
}

template <LaneBits B>
B SimdFloat::minimum(B a, B b) {
  return choose(a, b, Order::kLess);
}
template <LaneBits B>
B SimdFloat::maximum(B a, B b) {
  return choose(a, b, Order::kGreater);
}

// Twelve correct bits, as the manual promises (SDM 2B RCPPS): the exact value, cut. The silicon's
// tables differ between makers; this is the same on every host.
template <LaneBits B>
B SimdFloat::approximate_reciprocal(B a) {
  const Number x = unpack_lane(a);
  if (x.nan()) return pack_lane<B>(quieted(x));
  if (x.zero() || x.denormal) return pack_lane<B>(infinity(x.sign));
  if (x.infinite()) return pack_lane<B>(zero(x.sign));
  const Control cut{{12, -126, 127}, Rounding::kNearest, 0x3f, true, true};
  return pack_lane<B>(fpu::divide(cut, one(), x).value);
}
template <LaneBits B>
B SimdFloat::approximate_reciprocal_root(B a) {
  const Number x = unpack_lane(a);
  if (x.nan()) return pack_lane<B>(quieted(x));
  if (x.zero() || x.denormal) return pack_lane<B>(infinity(x.sign));
  if (x.sign) return LaneTraits<B>::indefinite;
  if (x.infinite()) return 0;
  const Control full{kExtended}, cut{{12, -126, 127}};
  return pack_lane<B>(fpu::divide(cut, one(), fpu::square_root(full, x).value).value);
}

template <LaneBits B>
Order SimdFloat::order(B a, B b, bool signaling) {
  if (normal_or_zero(a) && normal_or_zero(b)) {
    const auto x = host(a), y = host(b);
    return x < y ? Order::kLess : x > y ? Order::kGreater : Order::kEqual;
  }
  const Number x = unpack(a), y = unpack(b);
  if (x.nan() || y.nan()) {
    const bool snan = x.kind == Kind::kSignalingNan || y.kind == Kind::kSignalingNan;
    if (snan || signaling) flags_ |= kInvalid;
    return Order::kUnordered;
  }
  flags_ |= denormal_flag(x, y);
  return fpu::compare(x, y);
}

// Bit 4 turns a quiet predicate into the signaling one of the same meaning, and back.
template <LaneBits B>
B SimdFloat::compare(B a, B b, u8 predicate) {
  constexpr u8 kL = 1, kE = 2, kG = 4, kU = 8;  // less, equal, greater, unordered: as in Order
  constexpr u8 kHolds[] = {
      kE,      kL,      kL | kE,      kU, kL | kG | kU, kE | kG | kU, kG | kU, kL | kE | kG,
      kE | kU, kL | kU, kL | kE | kU, 0,  kL | kG,      kE | kG,      kG,      kL | kE | kG | kU};
  const bool signaling = ((predicate & 3) == 1 || (predicate & 3) == 2) != (predicate >> 4 & 1);
  const unsigned found = static_cast<unsigned>(order(a, b, signaling));
  return kHolds[predicate & 15] >> found & 1 ? ~B{0} : B{0};
}

u64 SimdFloat::to_double(u32 single) {
  if (normal_or_zero(single)) return std::bit_cast<u64>(static_cast<double>(host(single)));
  return take<u64>(convert(control(kDouble), unpack(single)));
}

u32 SimdFloat::to_single(u64 double_bits) {
  if (quick_ && normal_or_zero(double_bits)) {
    const u32 result = std::bit_cast<u32>(static_cast<float>(host(double_bits)));
    if (safe(result) || is_zero(double_bits)) return result;
  }
  return take<u32>(convert(control(kSingle), unpack(double_bits)));
}

u32 SimdFloat::half_to_single(u16 half) {
  Number number = unpack_half(half);
  number.denormal = false;  // it raises nothing: as a single it is an ordinary number
  return take<u32>(convert(control(kSingle), number));
}

u16 SimdFloat::single_to_half(u32 single, u8 immediate) {
  Control how = control(kHalf);
  how.flush_to_zero = false;
  if (!(immediate & 4)) how.rounding = static_cast<Rounding>(immediate & 3);
  const Number number = unpack(single);
  const Result result = convert(how, number);
  flags_ |= result.flags;
  // Unmasked, underflow hides that a tiny result is inexact as a half, but not with a denormal
  // operand: as an Intel Xeon does it, the manual does not say.
  if (number.denormal && (result.flags & kUnderflow)) flags_ |= kPrecision;
  return pack_half(result.value);
}

template <LaneBits B>
B SimdFloat::from_integer(i64 value) {
  constexpr i64 kExact = i64{1} << (LaneTraits<B>::fraction + 1);
  if (quick_ || (-kExact <= value && value <= kExact))
    return std::bit_cast<B>(static_cast<typename LaneTraits<B>::Host>(value));
  return take<B>(convert(control(LaneTraits<B>::format), fpu::from_integer(value)));
}

template <LaneBits B>
u64 SimdFloat::to_integer(B a, unsigned width, bool truncate) {
  const auto x = host(a);
  using F = typename LaneTraits<B>::Host;
  const F limit = width == 32 ? F(0x1p31) : F(0x1p63);
  if (truncate && normal_or_zero(a) && x > -limit && x < limit) {
    const i64 value = static_cast<i64>(x);
    if (quick_ || static_cast<F>(value) == x) return static_cast<u64>(value);
  }
  const Rounding rounding = truncate ? Rounding::kZero : control(kSingle).rounding;
  const IntegerResult result = fpu::to_integer(rounding, unpack(a), width);
  flags_ |= result.flags;
  return result.value;
}

template <LaneBits B>
B SimdFloat::round(B a, u8 mode) {
  Control how = control(LaneTraits<B>::format);
  how.masks = 0x3f;
  if (!(mode & 4)) how.rounding = static_cast<Rounding>(mode & 3);
  const Number x = unpack(a);
  Result result = round_to_integral(how, x);
  result.flags &= mode & 8 ? kInvalid : kInvalid | kPrecision;
  return take<B>(result);
}

#define KITE_LANES(B)                                    \
  template B SimdFloat::exact_binary(B, B, Binary);      \
  template B SimdFloat::exact_multiply_add(B, B, B, u8); \
  template B SimdFloat::square_root(B);                  \
  template B SimdFloat::minimum(B, B);                   \
  template B SimdFloat::maximum(B, B);                   \
  template B SimdFloat::compare(B, B, u8);               \
  template Order SimdFloat::order(B, B, bool);           \
  template B SimdFloat::from_integer<B>(i64);            \
  template u64 SimdFloat::to_integer(B, unsigned, bool); \
  template B SimdFloat::round(B, u8);
KITE_LANES(u32)
KITE_LANES(u64)
#undef KITE_LANES
template u32 SimdFloat::approximate_reciprocal(u32);
template u32 SimdFloat::approximate_reciprocal_root(u32);

}  // namespace kite::fpu
