// Operands for floating-point tests: boundary values and random bits, mixed so that special cases
// meet each other often.
#pragma once

#include <bit>
#include <random>
#include <span>

#include "accel/tcg/fpu/float80.h"

namespace kite::test {

class Operands {
 public:
  explicit Operands(u64 seed) : random_(seed) {}

  u64 bits() { return random_(); }

  fpu::Float80 extended() {
    const u64 r = random_();
    if (r % 4 == 0) return boundary_extended(r >> 8);
    u64 significand = shaped_significand();
    u16 exponent = static_cast<u16>(random_());
    if (r % 4 != 1) exponent = (exponent & 0x8000) | (16383 + i32(exponent & 0x7f) - 64);
    if (r % 32 != 5 && (exponent & 0x7fff)) significand |= u64{1} << 63;
    return {significand, exponent};
  }

  u64 double_bits() { return small_format(52, 11); }
  u32 single_bits() { return static_cast<u32>(small_format(23, 8)); }

 private:
  u64 shaped_significand() {
    const u64 r = random_();
    switch (r % 4) {
      case 0:
        return random_() << (r >> 8) % 64;  // few significant bits: exact results
      case 1:
        return ~u64{0} << (r >> 8) % 64;
      case 2:
        return (random_() & 0xfff) ^ (random_() % 2 ? u64{1} << 63 : ~u64{0});
      default:
        return random_();
    }
  }

  fpu::Float80 boundary_extended(u64 r) {
    static constexpr u64 kSignificands[] = {0,
                                            1,
                                            0x7fffffffffffffff,
                                            0x8000000000000000,
                                            0x8000000000000001,
                                            0xbfffffffffffffff,
                                            0xc000000000000000,
                                            0xc000000000000001,
                                            0xffffffffffffffff,
                                            0xfffff80000000000,
                                            0xfffffffffffff800,
                                            0xfffffffffffffc00,
                                            0xffffff0000000000,
                                            0xffffff8000000000};
    static constexpr u16 kExponents[] = {
        0,           1,      2,      0x3fff - 1, 0x3fff,      0x4000,      0x3fff + 62, 0x3fff + 63,
        0x3fff + 64, 0x7ffe, 0x7fff, 0x7ffd,     0x3fff - 64, 0x3fff + 31, 0x3c01,      0x3f81};
    const u64 significand = kSignificands[r % std::size(kSignificands)];
    const u16 exponent = kExponents[(r >> 16) % std::size(kExponents)];
    return {significand, static_cast<u16>(exponent | (r >> 32) % 2 << 15)};
  }

  u64 small_format(int fraction_bits, int exponent_bits) {
    const u64 r = random_();
    const u64 fraction_mask = (u64{1} << fraction_bits) - 1;
    const u64 top = (u64{1} << exponent_bits) - 1;
    u64 fraction = random_() & fraction_mask;
    switch (r % 8) {
      case 0:
        fraction = 0;
        break;
      case 1:
        fraction = 1;
        break;
      case 2:
        fraction = fraction_mask;
        break;
      case 3:
        fraction = u64{1} << (fraction_bits - 1);
        break;
      case 4:
        fraction = (fraction << (r >> 32) % 52) & fraction_mask;
        break;
      default:
        break;
    }
    u64 exponent = (r >> 8) & top;
    const u64 bias = top >> 1;
    switch ((r >> 24) % 8) {
      case 0:
        exponent = 0;
        break;
      case 1:
        exponent = top;
        break;
      case 2:
        exponent = top - 1;
        break;
      case 3:
        exponent = 1;
        break;
      case 4:
      case 5:
        exponent = bias + (r >> 8) % 64 - 32;
        break;
      default:
        break;
    }
    return (r >> 60 & 1) << (fraction_bits + exponent_bits) | exponent << fraction_bits | fraction;
  }

  std::mt19937_64 random_;
};

}  // namespace kite::test
