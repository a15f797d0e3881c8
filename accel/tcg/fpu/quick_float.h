// The host's own arithmetic for guests' lanes: only basic IEEE operations, which are the same on
// every host, and a word on whether the results are the guest's.
//
// A lane is "good" where no operand is denormal and the result is neither infinite nor a NaN nor
// near underflow, so that "inexact" is the only exception there can be. The lanes of 128 bits are
// computed at once by the compiler's vector types, which every host of GCC and Clang has: loops
// over lanes were not turned into vector code, for their conditions.
#pragma once

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "accel/tcg/fpu/vector.h"

namespace kite::fpu::quick {

template <class F>
struct LanesOf {
  typedef F Type __attribute__((vector_size(16)));
};
template <class F>
using Lanes = typename LanesOf<F>::Type;
using Singles = Lanes<float>;
using Doubles = Lanes<double>;

// Comparisons of lanes are all ones or zeros in each, and so is what they are combined to.
template <class F>
using Mask = Lanes<std::conditional_t<sizeof(F) == 4, i32, i64>>;

template <class F>
bool all(const Mask<F>& mask) {
  const auto halves = std::bit_cast<std::array<u64, 2>>(mask);
  return (halves[0] & halves[1]) == ~u64{0};
}
template <class F>
Lanes<F> magnitude(const Lanes<F>& x) {
  using Bits = std::conditional_t<sizeof(F) == 4, u32, u64>;
  return std::bit_cast<Lanes<F>>(std::bit_cast<Lanes<Bits>>(x) & (~Bits{0} >> 1));
}
template <class F>
Mask<F> within(const Lanes<F>& x, F low, F high) {
  const Lanes<F> m = magnitude<F>(x);
  return (m >= low) & (m <= high);
}
template <class F>
Mask<F> normal_or_zero(const Lanes<F>& x) {  // or infinite
  return (magnitude<F>(x) >= std::numeric_limits<F>::min()) | (x == 0);
}
template <class F>
Mask<F> safe(const Lanes<F>& result) {
  return within<F>(result, 2 * std::numeric_limits<F>::min(), std::numeric_limits<F>::max());
}

struct Add {
  template <class F>
  static Lanes<F> compute(const Lanes<F>& x, const Lanes<F>& y) {
    return x + y;
  }
  template <class F>  // where a result of zero is exact
  static Mask<F> zeros(const Lanes<F>&, const Lanes<F>&) {
    return Mask<F>{} == 0;
  }
};
struct Subtract : Add {
  template <class F>
  static Lanes<F> compute(const Lanes<F>& x, const Lanes<F>& y) {
    return x - y;
  }
};
struct Multiply {
  template <class F>
  static Lanes<F> compute(const Lanes<F>& x, const Lanes<F>& y) {
    return x * y;
  }
  template <class F>
  static Mask<F> zeros(const Lanes<F>& x, const Lanes<F>& y) {
    return (x == 0) | (y == 0);
  }
};
struct Divide {
  template <class F>
  static Lanes<F> compute(const Lanes<F>& x, const Lanes<F>& y) {
    return x / y;
  }
  template <class F>
  static Mask<F> zeros(const Lanes<F>& x, const Lanes<F>&) {
    return x == 0;
  }
};

// Every lane's result; false unless all are good.
template <class F, class Operation, unsigned N>
bool all_good(const Vec<N>& a, const Vec<N>& b, Vec<N>& result) {
  Mask<F> good = Mask<F>{} == 0;
  for (unsigned i = 0; i < N / 16; ++i) {
    const auto x = std::bit_cast<Lanes<F>>(a.lane128(i)), y = std::bit_cast<Lanes<F>>(b.lane128(i));
    const Lanes<F> r = Operation::template compute<F>(x, y);
    good &= normal_or_zero<F>(x) & normal_or_zero<F>(y) &
            (safe<F>(r) | ((r == 0) & Operation::template zeros<F>(x, y)));
    result.set_lane128(i, std::bit_cast<Vec128>(r));
  }
  return all<F>(good);
}

struct Sum {
  Doubles high, low;  // high + low is exact
};
inline Sum exact_sum(const Doubles& a, const Doubles& b) {
  const Doubles sum = a + b, part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}
inline Sum exact_product(const Doubles& a, const Doubles& b) {  // Dekker's, by halves of 26 bits
  constexpr double kSplitter = 0x1p27 + 1;
  const Doubles a_scaled = a * kSplitter, b_scaled = b * kSplitter;
  const Doubles a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
  const Doubles a_low = a - a_high, b_low = b - b_high, product = a * b;
  return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}
// a + b, its last bit set where something was lost: another rounding is then the only one.
inline Doubles sum_to_odd(const Doubles& a, const Doubles& b) {
  const Sum sum = exact_sum(a, b);
  const auto bits = std::bit_cast<Lanes<u64>>(sum.high);
  const auto lost = std::bit_cast<Lanes<u64>>(sum.low != 0);
  const Lanes<u64> opposite = (bits ^ std::bit_cast<Lanes<u64>>(sum.low)) >> 63;
  const Lanes<u64> even = (bits & 1) - 1;  // all ones where the last bit is clear
  return std::bit_cast<Doubles>(bits + (lost & even & (1 - (opposite << 1))));
}

// x·y + z rounded once, without the host's fused instruction: Boldo and Melquiond, "Emulation of a
// FMA and correctly rounded sums: proved algorithms using rounding to odd" (2008).
inline Mask<double> multiply_add(const Doubles& x, const Doubles& y, const Doubles& z,
                                 Doubles& result) {
  const Sum product = exact_product(x, y);
  const Sum low = exact_sum(z, product.low);
  const Sum high = exact_sum(product.high, low.high);
  result = high.high + sum_to_odd(low.low, high.low);
  // Far from where one of the errors could underflow. Zeros may add up to one of another sign.
  const Mask<double> product_is_zero = (x == 0) | (y == 0);
  return (within<double>(x, 0x1p-450, 0x1p450) | (x == 0)) &
         (within<double>(y, 0x1p-450, 0x1p450) | (y == 0)) &
         (within<double>(z, 0x1p-900, 0x1p900) | ((z == 0) & ~product_is_zero));
}
// In double precision the product is exact; the sum, rounded to 53 bits first, may only mislead
// where it looks like a tie of 24.
inline bool multiply_add(float x, float y, float z, float& result) {
  using Limits = std::numeric_limits<float>;
  const auto normal_or_zero = [](float a) { return std::abs(a) >= Limits::min() || a == 0; };
  const double sum = static_cast<double>(x) * y + z;
  result = static_cast<float>(sum);
  const float m = std::abs(result);
  const bool tie = (std::bit_cast<u64>(sum) & 0x1fffffff) == 0x10000000;
  return normal_or_zero(x) && normal_or_zero(y) && normal_or_zero(z) && !tie &&
         ((m >= 2 * Limits::min() && m <= Limits::max()) || sum == 0);
}
inline bool multiply_add(double x, double y, double z, double& result) {
  Doubles r;
  const Mask<double> good = multiply_add(Doubles{x, x}, Doubles{y, y}, Doubles{z, z}, r);
  result = r[0];
  return good[0] != 0;
}
inline Mask<float> multiply_add(const Singles& x, const Singles& y, const Singles& z,
                                Singles& result) {
  Mask<float> good{};
  for (unsigned i = 0; i < 4; ++i) {
    float r;
    good[i] = multiply_add(x[i], y[i], z[i], r) ? -1 : 0;
    result[i] = r;
  }
  return good;
}

template <class F, unsigned N>
bool all_good(const Vec<N>& a, const Vec<N>& b, const Vec<N>& c, Vec<N>& result) {
  Mask<F> good = Mask<F>{} == 0;
  for (unsigned i = 0; i < N / 16; ++i) {
    Lanes<F> r;
    good &=
        multiply_add(std::bit_cast<Lanes<F>>(a.lane128(i)), std::bit_cast<Lanes<F>>(b.lane128(i)),
                     std::bit_cast<Lanes<F>>(c.lane128(i)), r);
    result.set_lane128(i, std::bit_cast<Vec128>(r));
  }
  return all<F>(good);
}

}  // namespace kite::fpu::quick
