// Vec: an MMX or XMM register by value, with lane views, and the integer SIMD operations on it.
//
// Every operation is a template over the register's width in bytes (8, 16, 32), so that the MMX,
// the SSE and the AVX form of an instruction are one text. Lanes are in the host's (little-endian)
// order; the loops are what compilers turn into the host's own vector code.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <limits>
#include <type_traits>

#include "base/bits.h"
#include "base/types.h"

namespace kite {

template <unsigned kBytes>
struct alignas(kBytes) Vec {
  std::array<u8, kBytes> bytes{};

  static constexpr unsigned kSize = kBytes;
  template <class T>
  static constexpr unsigned kLanes = kBytes / sizeof(T);

  template <class T>
  using Lanes = std::array<T, kBytes / sizeof(T)>;

  template <class T>
  Lanes<T> lanes() const {
    return std::bit_cast<Lanes<T>>(bytes);
  }
  template <class T>
  static Vec of(const Lanes<T>& lanes) {
    return {std::bit_cast<std::array<u8, kBytes>>(lanes)};
  }
  template <class T>
  T lane(unsigned index) const {
    return load<T>(bytes.data() + index * sizeof(T));
  }
  template <class T>
  void set_lane(unsigned index, std::type_identity_t<T> value) {
    store<T>(bytes.data() + index * sizeof(T), value);
  }
  // 128 bits of a longer register.
  Vec<16> lane128(unsigned index) const;
  void set_lane128(unsigned index, const Vec<16>& value);
  bool operator==(const Vec&) const = default;
};

using Vec64 = Vec<8>;
using Vec128 = Vec<16>;
using Vec256 = Vec<32>;

template <unsigned kBytes>
Vec128 Vec<kBytes>::lane128(unsigned index) const {
  Vec128 part;
  std::copy_n(bytes.data() + 16 * index, 16, part.bytes.data());
  return part;
}
template <unsigned kBytes>
void Vec<kBytes>::set_lane128(unsigned index, const Vec128& value) {
  std::copy_n(value.bytes.data(), 16, bytes.data() + 16 * index);
}

namespace vec {

// Lane by lane: f(a[i], b[i]) or f(a[i]).
template <class T, unsigned N, class F>
Vec<N> map(const Vec<N>& a, const Vec<N>& b, F f) {
  const auto x = a.template lanes<T>(), y = b.template lanes<T>();
  typename Vec<N>::template Lanes<T> r;
  for (unsigned i = 0; i < r.size(); ++i) r[i] = static_cast<T>(f(x[i], y[i]));
  return Vec<N>::template of<T>(r);
}
template <class T, unsigned N, class F>
Vec<N> map(const Vec<N>& a, F f) {
  return map<T>(a, a, [f](T x, T) { return f(x); });
}

// result[i] = f(i), for everything that moves lanes about.
template <class T, unsigned N, class F>
Vec<N> generate(F f) {
  typename Vec<N>::template Lanes<T> r;
  for (unsigned i = 0; i < r.size(); ++i) r[i] = static_cast<T>(f(i));
  return Vec<N>::template of<T>(r);
}

template <class T>
constexpr T saturate(i32 value) {
  return static_cast<T>(
      std::clamp<i32>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

// --- arithmetic -------------------------------------------------------------------------------
inline constexpr auto add = []<class T>(T a, T b) {
  return T(std::make_unsigned_t<T>(a) + std::make_unsigned_t<T>(b));
};
inline constexpr auto sub = []<class T>(T a, T b) {
  return T(std::make_unsigned_t<T>(a) - std::make_unsigned_t<T>(b));
};
inline constexpr auto add_saturating = []<class T>(T a, T b) { return saturate<T>(a + b); };
inline constexpr auto sub_saturating = []<class T>(T a, T b) { return saturate<T>(a - b); };
inline constexpr auto average = []<class T>(T a, T b) { return T((a + b + 1) >> 1); };
inline constexpr auto minimum = []<class T>(T a, T b) { return std::min(a, b); };
inline constexpr auto maximum = []<class T>(T a, T b) { return std::max(a, b); };
inline constexpr auto equal = []<class T>(T a, T b) { return T(a == b ? -1 : 0); };
inline constexpr auto greater = []<class T>(T a, T b) { return T(a > b ? -1 : 0); };
inline constexpr auto bit_and = []<class T>(T a, T b) { return T(a & b); };
inline constexpr auto bit_and_not = []<class T>(T a, T b) { return T(~a & b); };
inline constexpr auto bit_or = []<class T>(T a, T b) { return T(a | b); };
inline constexpr auto bit_xor = []<class T>(T a, T b) { return T(a ^ b); };
inline constexpr auto multiply_low = []<class T>(T a, T b) { return T(u64(a) * u64(b)); };
inline constexpr auto multiply_high = []<class T>(T a, T b) { return T((i64(a) * i64(b)) >> 16); };
inline constexpr auto multiply_high_rounded = [](i16 a, i16 b) {
  return ((i32(a) * b >> 14) + 1) >> 1;
};
inline constexpr auto absolute = []<class T>(T a) {
  return T(a < 0 ? -std::make_unsigned_t<T>(a) : std::make_unsigned_t<T>(a));
};
inline constexpr auto copy_sign = []<class T>(T a, T b) {
  return T(b < 0    ? -std::make_unsigned_t<T>(a)
           : b == 0 ? std::make_unsigned_t<T>(0)
                    : std::make_unsigned_t<T>(a));
};

// PMADDWD: signed words multiplied, neighbours added.
template <unsigned N>
Vec<N> multiply_add_words(const Vec<N>& a, const Vec<N>& b) {
  const auto x = a.template lanes<i16>(), y = b.template lanes<i16>();
  return generate<u32, N>([&](unsigned i) {
    return u32(i32(x[2 * i]) * y[2 * i]) + u32(i32(x[2 * i + 1]) * y[2 * i + 1]);
  });
}
// PMADDUBSW: unsigned bytes of `a` times signed bytes of `b`, neighbours added with saturation.
template <unsigned N>
Vec<N> multiply_add_bytes(const Vec<N>& a, const Vec<N>& b) {
  const auto x = a.template lanes<u8>();
  const auto y = b.template lanes<i8>();
  return generate<i16, N>([&](unsigned i) {
    return saturate<i16>(i32(x[2 * i]) * y[2 * i] + i32(x[2 * i + 1]) * y[2 * i + 1]);
  });
}
// PMULUDQ, PMULDQ: the even doublewords multiplied to quadwords.
template <class T, unsigned N>
Vec<N> multiply_even(const Vec<N>& a, const Vec<N>& b) {
  return generate<u64, N>([&](unsigned i) {
    return u64(i64(a.template lane<T>(2 * i))) * u64(i64(b.template lane<T>(2 * i)));
  });
}
// PSADBW: absolute differences of bytes, summed per quadword.
template <unsigned N>
Vec<N> sum_of_differences(const Vec<N>& a, const Vec<N>& b) {
  const auto x = a.template lanes<u8>(), y = b.template lanes<u8>();
  return generate<u64, N>([&](unsigned q) {
    u64 sum = 0;
    for (unsigned i = 8 * q; i < 8 * q + 8; ++i) sum += x[i] > y[i] ? x[i] - y[i] : y[i] - x[i];
    return sum;
  });
}
// MPSADBW: eight sums of four absolute differences, from positions the immediate gives.
inline Vec128 multiple_sums_of_differences(const Vec128& a, const Vec128& b, u8 control) {
  const unsigned from_a = (control >> 2 & 1) * 4, from_b = (control & 3) * 4;
  return generate<u16, 16>([&](unsigned i) {
    unsigned sum = 0;
    for (unsigned k = 0; k < 4; ++k) {
      const int difference = a.bytes[from_a + i + k] - b.bytes[from_b + k];
      sum += static_cast<unsigned>(difference < 0 ? -difference : difference);
    }
    return sum;
  });
}
// PHADD*, PHSUB*: neighbours combined, first those of `a`, then those of `b`.
template <class T, unsigned N, class F>
Vec<N> horizontal(const Vec<N>& a, const Vec<N>& b, F f) {
  constexpr unsigned kHalf = Vec<N>::template kLanes<T> / 2;
  return generate<T, N>([&](unsigned i) {
    const Vec<N>& v = i < kHalf ? a : b;
    const unsigned pair = i % kHalf * 2;
    return f(v.template lane<T>(pair), v.template lane<T>(pair + 1));
  });
}
// PHMINPOSUW: the smallest word and where it stands.
inline Vec128 minimum_position(const Vec128& a) {
  const auto x = a.lanes<u16>();
  const unsigned at = static_cast<unsigned>(std::min_element(x.begin(), x.end()) - x.begin());
  Vec128 r;
  r.set_lane<u16>(0, x[at]);
  r.set_lane<u16>(1, static_cast<u16>(at));
  return r;
}

// --- shifts: a count of the width or more gives zeros (or signs) ---------------------------------
template <class T, unsigned N>
Vec<N> shift_left(const Vec<N>& a, u64 count) {
  if (count >= 8 * sizeof(T)) return {};
  return map<T>(a, [count](T x) { return x << count; });
}
template <class T, unsigned N>
Vec<N> shift_right(const Vec<N>& a, u64 count) {  // arithmetic where T is signed
  constexpr u64 kBits = 8 * sizeof(T);
  if (count >= kBits) {
    if constexpr (std::is_unsigned_v<T>) return {};
    count = kBits - 1;
  }
  return map<T>(a, [count](T x) { return x >> count; });
}
// VPSLLVD and kin: each lane by a lane of counts.
inline constexpr auto shift_lane_left = []<class T>(T a, T count) {
  return count >= 8 * sizeof(T) ? T{0} : T(a << count);
};
inline constexpr auto shift_lane_right = []<class T>(T a, T count) {  // arithmetic if T is signed
  constexpr u64 kBits = 8 * sizeof(T);
  const u64 by = static_cast<std::make_unsigned_t<T>>(count);
  if constexpr (std::is_signed_v<T>) return T(a >> std::min(by, kBits - 1));
  return by >= kBits ? T{0} : T(a >> by);
};
inline Vec128 shift_bytes_left(const Vec128& a, u64 count) {
  return generate<u8, 16>([&](unsigned i) { return i >= count ? a.bytes[i - count] : 0; });
}
inline Vec128 shift_bytes_right(const Vec128& a, u64 count) {
  return generate<u8, 16>([&](unsigned i) { return i + count < 16 ? a.bytes[i + count] : 0; });
}
// PALIGNR: bytes `count`… of a:b.
template <unsigned N>
Vec<N> align_right(const Vec<N>& a, const Vec<N>& b, u64 count) {
  return generate<u8, N>([&](unsigned i) -> u8 {
    const u64 from = i + count;
    return from < N ? b.bytes[from] : from < 2 * N ? a.bytes[from - N] : 0;
  });
}

// --- moving lanes
// --------------------------------------------------------------------------------- PACKSS, PACKUS:
// lanes of `a`, then of `b`, narrowed with saturation.
template <class From, class To, unsigned N>
Vec<N> pack(const Vec<N>& a, const Vec<N>& b) {
  constexpr unsigned kHalf = Vec<N>::template kLanes<From>;
  const auto x = a.template lanes<From>(), y = b.template lanes<From>();
  return generate<To, N>([&](unsigned i) { return saturate<To>(i < kHalf ? x[i] : y[i - kHalf]); });
}
// PUNPCKL, PUNPCKH: lanes of the low or high halves alternate.
template <class T, unsigned N>
Vec<N> unpack_low(const Vec<N>& a, const Vec<N>& b) {
  return generate<T, N>([&](unsigned i) { return (i % 2 ? b : a).template lane<T>(i / 2); });
}
template <class T, unsigned N>
Vec<N> unpack_high(const Vec<N>& a, const Vec<N>& b) {
  constexpr unsigned kHalf = Vec<N>::template kLanes<T> / 2;
  return generate<T, N>(
      [&](unsigned i) { return (i % 2 ? b : a).template lane<T>(kHalf + i / 2); });
}
// PSHUFB: a set bit 7 gives zero.
template <unsigned N>
Vec<N> shuffle_bytes(const Vec<N>& a, const Vec<N>& control) {
  return generate<u8, N>([&](unsigned i) -> u8 {
    const u8 select = control.bytes[i];
    return select & 0x80 ? 0 : a.bytes[select % N];
  });
}
// PSHUFD, PSHUFW: two bits of the immediate for each of four lanes.
template <class T, unsigned N>
Vec<N> shuffle4(const Vec<N>& a, u8 control) {
  return generate<T, N>([&](unsigned i) { return a.template lane<T>(control >> (2 * i) & 3); });
}
inline Vec128 shuffle_low_words(const Vec128& a, u8 control) {
  return generate<u16, 16>(
      [&](unsigned i) { return a.lane<u16>(i < 4 ? control >> (2 * i) & 3 : i); });
}
inline Vec128 shuffle_high_words(const Vec128& a, u8 control) {
  return generate<u16, 16>(
      [&](unsigned i) { return a.lane<u16>(i < 4 ? i : 4 + (control >> (2 * (i - 4)) & 3)); });
}
// SHUFPS, SHUFPD: the lower lanes come from `a`, the upper from `b`.
inline Vec128 shuffle_singles(const Vec128& a, const Vec128& b, u8 control) {
  return generate<u32, 16>(
      [&](unsigned i) { return (i < 2 ? a : b).lane<u32>(control >> (2 * i) & 3); });
}
inline Vec128 shuffle_doubles(const Vec128& a, const Vec128& b, u8 control) {
  return generate<u64, 16>([&](unsigned i) { return (i ? b : a).lane<u64>(control >> i & 1); });
}
// PMOVSX, PMOVZX: the lowest lanes widened.
template <class From, class To, unsigned N = 16, unsigned M>
Vec<N> widen(const Vec<M>& a) {
  return generate<To, N>([&](unsigned i) { return To(a.template lane<From>(i)); });
}

// --- blends and masks
// -----------------------------------------------------------------------------
template <class T, unsigned N>  // a lane for each bit; the words of the upper half by the same bits
Vec<N> blend(const Vec<N>& a, const Vec<N>& b, u8 control) {
  return generate<T, N>(
      [&](unsigned i) { return (control >> i % 8 & 1 ? b : a).template lane<T>(i); });
}
template <class T, unsigned N>  // by the sign bits of `mask`
Vec<N> blend_by_sign(const Vec<N>& a, const Vec<N>& b, const Vec<N>& mask) {
  return generate<T, N>([&](unsigned i) {
    const bool take = mask.template lane<std::make_signed_t<T>>(i) < 0;
    return (take ? b : a).template lane<T>(i);
  });
}
template <class T, unsigned N>  // PMOVMSKB, MOVMSKPS, MOVMSKPD
u32 sign_mask(const Vec<N>& a) {
  const auto x = a.template lanes<std::make_signed_t<T>>();
  u32 mask = 0;
  for (unsigned i = 0; i < x.size(); ++i) mask |= u32(x[i] < 0) << i;
  return mask;
}

}  // namespace vec
}  // namespace kite
