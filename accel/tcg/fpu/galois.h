// Arithmetic without carries: bytes in GF(2^8) as GFNI and AES have them, and carry-less
// multiplication.
#pragma once

#include <bit>

#include "accel/tcg/fpu/vector.h"

namespace kite::galois {

// Modulo x^8 + x^4 + x^3 + x + 1.
constexpr u8 multiply(u8 a, u8 b) {
  unsigned product = 0, x = a;
  for (unsigned y = b; y; y >>= 1) {
    if (y & 1) product ^= x;
    x = x << 1 ^ (x & 0x80 ? 0x11b : 0);
  }
  return static_cast<u8>(product);
}

// a^254, which is 1/a; 0 stays 0.
constexpr u8 inverse(u8 a) {
  const u8 a2 = multiply(a, a), a4 = multiply(a2, a2), a8 = multiply(a4, a4);
  const u8 a16 = multiply(a8, a8), a32 = multiply(a16, a16), a64 = multiply(a32, a32);
  const u8 a128 = multiply(a64, a64);
  return multiply(multiply(multiply(a2, a4), multiply(a8, a16)),
                  multiply(multiply(a32, a64), a128));
}

// The bits of `matrix` times `x`, plus `constant`: the row of bit i is byte 7 - i (SDM 2A
// "GF2P8AFFINEQB").
constexpr u8 affine(u64 matrix, u8 x, u8 constant) {
  unsigned result = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const u8 row = static_cast<u8>(matrix >> (8 * (7 - i)));
    result |= (static_cast<unsigned>(std::popcount(static_cast<u8>(row & x))) & 1) << i;
  }
  return static_cast<u8>(result ^ constant);
}

inline u128 carryless_multiply(u64 a, u64 b) {
  u128 product = 0;
  for (; b; b &= b - 1) product ^= u128{a} << std::countr_zero(b);
  return product;
}

// --- on vectors ---------------------------------------------------------------------------------
template <unsigned N>
Vec<N> multiply_bytes(const Vec<N>& a, const Vec<N>& b) {
  return vec::map<u8>(a, b, [](u8 x, u8 y) { return multiply(x, y); });
}
template <unsigned N>
Vec<N> affine_bytes(const Vec<N>& x, const Vec<N>& matrices, u8 constant) {
  return vec::generate<u8, N>(
      [&](unsigned i) { return affine(matrices.template lane<u64>(i / 8), x.bytes[i], constant); });
}
template <unsigned N>
Vec<N> affine_inverse_bytes(const Vec<N>& x, const Vec<N>& matrices, u8 constant) {
  return affine_bytes(vec::map<u8>(x, [](u8 a) { return inverse(a); }), matrices, constant);
}

// PCLMULQDQ: bits 0 and 4 of `control` choose the quadwords of `a` and `b`.
inline Vec128 carryless_multiply(const Vec128& a, const Vec128& b, u8 control) {
  const u128 product = carryless_multiply(a.lane<u64>(control & 1), b.lane<u64>(control >> 4 & 1));
  return Vec128::of<u64>({static_cast<u64>(product), static_cast<u64>(product >> 64)});
}

}  // namespace kite::galois
