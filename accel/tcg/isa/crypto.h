// The meanings of the AES, carry-less, SHA and GFNI rows, on 128 bits (GFNI: on any length).
#pragma once

#include "accel/tcg/fpu/aes.h"
#include "accel/tcg/fpu/galois.h"
#include "accel/tcg/fpu/sha.h"
#include "accel/tcg/isa/simd.h"

namespace kite::tcg::crypto {

inline constexpr auto aesenc = whole<aes::encrypt>;
inline constexpr auto aesenclast = whole<aes::encrypt_last>;
inline constexpr auto aesdec = whole<aes::decrypt>;
inline constexpr auto aesdeclast = whole<aes::decrypt_last>;
inline constexpr auto aesimc = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst = aes::inverse_mix_columns(src);
};
inline constexpr auto aeskeygenassist = shuffle<aes::key_generation>;
inline constexpr auto pclmulqdq = [](Cpu&, Vec128& dst, const Vec128& src, u8 control) {
  dst = galois::carryless_multiply(dst, src, control);
};
inline constexpr auto gf2p8mulb = [](Cpu&, auto& dst, const auto& src) {
  dst = galois::multiply_bytes(dst, src);
};
inline constexpr auto gf2p8affineqb = [](Cpu&, auto& dst, const auto& src, u8 constant) {
  dst = galois::affine_bytes(dst, src, constant);
};
inline constexpr auto gf2p8affineinvqb = [](Cpu&, auto& dst, const auto& src, u8 constant) {
  dst = galois::affine_inverse_bytes(dst, src, constant);
};

}  // namespace kite::tcg::crypto
