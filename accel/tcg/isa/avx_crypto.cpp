// The VEX-coded forms of AES, carry-less multiplication and Galois fields: those of crypto.cpp, on
// each 128-bit lane (SDM 1 14.4.2).
#include "accel/tcg/isa/crypto.h"
#include "accel/tcg/isa/vex_operands.h"

namespace kite::tcg {
namespace {

using namespace crypto;

constexpr Feature kAes = Feature::kAes, kVaes = Feature::kVaes, kGfni = Feature::kGfni;

template <auto kMeaning>
constexpr auto lanewise = three<in_lanes<kMeaning>>;

// clang-format off
constexpr Row kRows[] = {
    row("VEX.128.66.0F38.WIG DB /r", "vaesimc", w(Vdq), r(Wdq), kNoFlags, avx, kAes, aesimc),
    row("VEX.128.66.0F3A.WIG DF /r ib", "vaeskeygenassist", w(Vdq), r(Wdq), r(Ib), kNoFlags, avx, kAes, aeskeygenassist),
    row("VEX.128.66.0F38.WIG DC /r", "vaesenc", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kAes, lanewise<aesenc>),
    row("VEX.128.66.0F38.WIG DD /r", "vaesenclast", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kAes, lanewise<aesenclast>),
    row("VEX.128.66.0F38.WIG DE /r", "vaesdec", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kAes, lanewise<aesdec>),
    row("VEX.128.66.0F38.WIG DF /r", "vaesdeclast", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kAes, lanewise<aesdeclast>),
    row("VEX.256.66.0F38.WIG DC /r", "vaesenc", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kVaes, lanewise<aesenc>),
    row("VEX.256.66.0F38.WIG DD /r", "vaesenclast", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kVaes, lanewise<aesenclast>),
    row("VEX.256.66.0F38.WIG DE /r", "vaesdec", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kVaes, lanewise<aesdec>),
    row("VEX.256.66.0F38.WIG DF /r", "vaesdeclast", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kVaes, lanewise<aesdeclast>),
    row("VEX.128.66.0F3A.WIG 44 /r ib", "vpclmulqdq", w(Vx), r(Hx), r(Wx), r(Ib), kNoFlags, avx, Feature::kPclmulqdq, lanewise<pclmulqdq>),
    row("VEX.256.66.0F3A.WIG 44 /r ib", "vpclmulqdq", w(Vx), r(Hx), r(Wx), r(Ib), kNoFlags, avx, Feature::kVpclmulqdq, lanewise<pclmulqdq>),
    row("VEX.66.0F38.W0 CF /r", "vgf2p8mulb", w(Vx), r(Hx), r(Wx), kNoFlags, avx, kGfni, three<gf2p8mulb>),
    row("VEX.66.0F3A.W1 CE /r ib", "vgf2p8affineqb", w(Vx), r(Hx), r(Wx), r(Ib), kNoFlags, avx, kGfni, three<gf2p8affineqb>),
    row("VEX.66.0F3A.W1 CF /r ib", "vgf2p8affineinvqb", w(Vx), r(Hx), r(Wx), r(Ib), kNoFlags, avx, kGfni, three<gf2p8affineinvqb>),
};
// clang-format on

}  // namespace

std::span<const Row> avx_crypto_rows() {
  return kRows;
}

}  // namespace kite::tcg
