// SimdFloat: the floating-point arithmetic of one SSE instruction under MXCSR.
//
// Lanes are bits (u32 single, u64 double). Two ways lead to a result. The exact one computes in
// integers (soft_float.h) and knows every flag. The quick one is the host's own addition: it is
// taken where the only flag that could come is "inexact" and MXCSR has that already, masked and
// rounding to nearest — the state nearly every program is in after its first inexact result. So
// the host's floating-point environment is never read or changed, and no result depends on it.
#pragma once

#include <bit>
#include <type_traits>

#include "accel/tcg/fpu/quick_float.h"
#include "accel/tcg/fpu/soft_float.h"
#include "accel/tcg/fpu/vector.h"

namespace kite::fpu {

inline constexpr u32 kMxcsrDaz = 1u << 6;
inline constexpr u32 kMxcsrFtz = 1u << 15;
inline constexpr u32 kMxcsrValid = 0xffff;  // MXCSR_MASK: every bit but the reserved upper half

// A floating-point lane by its bits.
template <class B>
concept LaneBits = std::same_as<B, u32> || std::same_as<B, u64>;

template <LaneBits B>
struct LaneTraits;
template <>
struct LaneTraits<u32> {
  using Host = float;
  static constexpr Format format = kSingle;
  static constexpr int fraction = 23;
  static constexpr u32 indefinite = 0xffc00000;
};
template <>
struct LaneTraits<u64> {
  using Host = double;
  static constexpr Format format = kDouble;
  static constexpr int fraction = 52;
  static constexpr u64 indefinite = 0xfff8000000000000;
};

class SimdFloat {
 public:
  explicit SimdFloat(u32 mxcsr) : mxcsr_(mxcsr), quick_((mxcsr & kQuickBits) == kQuickState) {}

  template <LaneBits B>
  B add(B a, B b) {
    return quick<true>(
        a, b, [](auto x, auto y) { return x + y; }, fpu::add);
  }
  template <LaneBits B>
  B subtract(B a, B b) {
    return quick<true>(
        a, b, [](auto x, auto y) { return x - y; }, fpu::subtract);
  }
  template <LaneBits B>
  B multiply(B a, B b) {
    return quick<false>(
        a, b, [](auto x, auto y) { return x * y; }, fpu::multiply);
  }
  template <LaneBits B>
  B divide(B a, B b) {
    return quick<false>(
        a, b, [](auto x, auto y) { return x / y; }, fpu::divide);
  }
  // ±(a · b) ± c rounded once; `negate` as in soft_float.h.
  template <LaneBits B>
  B multiply_add(B a, B b, B c, u8 negate) {
    using F = typename LaneTraits<B>::Host;
    if (F result;
        quick_ && quick::multiply_add(std::bit_cast<F>(negated<kNegateProduct>(a, negate)),
                                      std::bit_cast<F>(b),
                                      std::bit_cast<F>(negated<kNegateAddend>(c, negate)), result))
      return std::bit_cast<B>(result);
    return exact_multiply_add(a, b, c, negate);
  }
  // The same on all lanes, with a `negate` for the even and one for the odd.
  template <LaneBits B, unsigned N>
  Vec<N> multiply_add(const Vec<N>& a, const Vec<N>& b, const Vec<N>& c, u8 even, u8 odd);
  // dst = dst · src, where every lane can go the quick way; false: none has been computed.
  template <LaneBits B, class Operation, unsigned N>
  bool quick_lanes(Vec<N>& dst, const Vec<N>& src) const {
    Vec<N> result;
    if (!quick_ || !quick::all_good<typename LaneTraits<B>::Host, Operation>(dst, src, result))
      return false;
    dst = result;
    return true;
  }
  template <LaneBits B>
  B square_root(B a);
  template <LaneBits B>
  B minimum(B a, B b);  // the second operand if either is a NaN or both are zeros
  template <LaneBits B>
  B maximum(B a, B b);
  template <LaneBits B>
  B approximate_reciprocal(B a);  // RCPPS, RSQRTPS: no flags
  template <LaneBits B>
  B approximate_reciprocal_root(B a);

  // CMPPS, VCMPPS and kin: all ones or zeros; predicates 0…31 (SDM 2A table 3-1).
  template <LaneBits B>
  B compare(B a, B b, u8 predicate);
  // COMISS (signaling) and UCOMISS.
  template <LaneBits B>
  Order order(B a, B b, bool signaling);

  u64 to_double(u32 single);
  u32 to_single(u64 double_bits);
  // VCVTPH2PS and VCVTPS2PH: `control` is the immediate. DAZ has no say over halves to convert nor
  // FTZ over halves that result (SDM 2C VCVTPH2PS, VCVTPS2PH).
  u32 half_to_single(u16 half);
  u16 single_to_half(u32 single, u8 control);
  template <LaneBits B>
  B from_integer(i64 value);
  // To an integer of `width` bits, by MXCSR's rounding or truncated.
  template <LaneBits B>
  u64 to_integer(B a, unsigned width, bool truncate);
  // ROUNDSS and kin: the immediate's low four bits.
  template <LaneBits B>
  B round(B a, u8 control);

  // What MXCSR gains: once an operand's exception is unmasked nothing is computed (SDM 1 11.5.2).
  u8 flags() const {
    return earlier_ | (flags_ & ~masks() & kBeforeComputing ? flags_ & kBeforeComputing : flags_);
  }
  bool faults() const { return flags_ & ~masks(); }
  // Between the steps of an instruction that computes with its own results: what came so far stays
  // whatever follows. False: an exception is unmasked and nothing does.
  bool next_step() {
    if (faults()) return false;
    earlier_ |= flags_;
    flags_ = 0;
    return true;
  }

 private:
  // Precision flag and mask, rounding control: what decides for the quick way.
  static constexpr u32 kQuickBits = 1u << 5 | 1u << 12 | 3u << 13;
  static constexpr u32 kQuickState = 1u << 5 | 1u << 12;

  u8 masks() const { return mxcsr_ >> 7 & 0x3f; }
  Control control(const Format& format) const;

  template <LaneBits B>
  static bool normal_or_zero(B bits) {
    constexpr B kOne = B{2} << LaneTraits<B>::fraction;  // exponent 1 without the sign
    const B magnitude = static_cast<B>(bits << 1);
    return static_cast<B>(magnitude - kOne) < static_cast<B>(B{0} - 2 * kOne) || magnitude == 0;
  }
  // Finite and at least twice the smallest normal number: neither overflow nor underflow was near.
  template <LaneBits B>
  static bool safe(B bits) {
    constexpr B kOne = B{2} << LaneTraits<B>::fraction;
    const B magnitude = static_cast<B>(bits << 1);
    return static_cast<B>(magnitude - 2 * kOne) < static_cast<B>(B{0} - 3 * kOne);
  }
  template <LaneBits B>
  static bool is_zero(B bits) {
    return static_cast<B>(bits << 1) == 0;
  }

  template <bool kZeroIsExact, LaneBits B, class Host, class Exact>
  B quick(B a, B b, Host host, Exact exact) {
    if (quick_) {
      using F = typename LaneTraits<B>::Host;
      const B result =
          std::bit_cast<B>(static_cast<F>(host(std::bit_cast<F>(a), std::bit_cast<F>(b))));
      if (normal_or_zero(a) && normal_or_zero(b)) {
        if (safe(result)) return result;
        if (is_zero(result) && (kZeroIsExact || is_zero(a) || is_zero(b))) return result;
      }
    }
    return exact_binary(a, b, exact);
  }

  template <Negate kWhich, LaneBits B>
  static B negated(B bits, u8 negate) {
    return static_cast<B>(bits ^ B{(negate & kWhich) != 0} << (8 * sizeof(B) - 1));
  }
  template <LaneBits B>
  B exact_multiply_add(B a, B b, B c, u8 negate);

  using Binary = Result (*)(const Control&, const Number&, const Number&);
  template <LaneBits B>
  B exact_binary(B a, B b, Binary operation);
  template <LaneBits B>
  Number unpack(B bits) const;  // DAZ applied
  template <LaneBits B>
  B take(const Result& result);
  template <LaneBits B>
  B choose(B a, B b, Order wanted);

  u32 mxcsr_;
  bool quick_;
  u8 flags_ = 0;
  u8 earlier_ = 0;  // of the steps before, all masked
};

template <LaneBits B, unsigned N>
Vec<N> SimdFloat::multiply_add(const Vec<N>& a, const Vec<N>& b, const Vec<N>& c, u8 even, u8 odd) {
  using F = typename LaneTraits<B>::Host;
  if (quick_) {
    const auto x = vec::generate<B, N>([&](unsigned i) {
      return negated<kNegateProduct>(a.template lane<B>(i), i % 2 ? odd : even);
    });
    const auto z = vec::generate<B, N>([&](unsigned i) {
      return negated<kNegateAddend>(c.template lane<B>(i), i % 2 ? odd : even);
    });
    Vec<N> result;
    if (quick::all_good<F>(x, b, z, result)) return result;
  }
  return vec::generate<B, N>([&](unsigned i) {
    return multiply_add(a.template lane<B>(i), b.template lane<B>(i), c.template lane<B>(i),
                        i % 2 ? odd : even);
  });
}

}  // namespace kite::fpu
