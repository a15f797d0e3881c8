// AVX conversions, and those to and from half precision (F16C).
#include "accel/tcg/isa/simd_float.h"
#include "accel/tcg/isa/vex_operands.h"

namespace kite::tcg {
namespace {

constexpr auto half_to_single = [](SimdFloat& f, u16 a) { return f.half_to_single(a); };
constexpr auto singles_to_halves = [](Cpu& cpu, auto& dst, const auto& src, u8 control) {
  return simd_float(cpu, [&](SimdFloat& f) {
    convert_lanes<u32, u16>(dst, src, [&](u32 a) { return f.single_to_half(a, control); });
  });
};

constexpr Row kRows[] = {
    // Between floating-point formats.
    row("VEX.NP.0F.WIG 5A /r", "vcvtps2pd", w(Vx), r(Wh), kNoFlags, avx, mxcsr,
        converted<u32, u64, single_to_double>),
    row("VEX.66.0F.WIG 5A /r", "vcvtpd2ps", w(Vdq), r(Wx), kNoFlags, avx, mxcsr,
        converted<u64, u32, double_to_single>),
    row("VEX.LIG.F3.0F.WIG 5A /r", "vcvtss2sd", w(Vdq), r(Hdq), r(Wd), kNoFlags, avx, mxcsr,
        three_scalar<u64, converted_scalar<single_to_double>>),
    row("VEX.LIG.F2.0F.WIG 5A /r", "vcvtsd2ss", w(Vdq), r(Hdq), r(Wq), kNoFlags, avx, mxcsr,
        three_scalar<u32, converted_scalar<double_to_single>>),
    row("VEX.66.0F38.W0 13 /r", "vcvtph2ps", w(Vx), r(Wh), kNoFlags, avx, Feature::kF16c, mxcsr,
        converted<u16, u32, half_to_single>),
    row("VEX.66.0F3A.W0 1D /r ib", "vcvtps2ph", w(Wh), r(Vx), r(Ib), kNoFlags, avx, Feature::kF16c,
        mxcsr, singles_to_halves),

    // Packed integers.
    row("VEX.NP.0F.WIG 5B /r", "vcvtdq2ps", w(Vx), r(Wx), kNoFlags, avx, mxcsr,
        converted<u32, u32, dword_to_float<u32>>),
    row("VEX.66.0F.WIG 5B /r", "vcvtps2dq", w(Vx), r(Wx), kNoFlags, avx, mxcsr,
        converted<u32, u32, float_to_dword<false>>),
    row("VEX.F3.0F.WIG 5B /r", "vcvttps2dq", w(Vx), r(Wx), kNoFlags, avx, mxcsr,
        converted<u32, u32, float_to_dword<true>>),
    row("VEX.F3.0F.WIG E6 /r", "vcvtdq2pd", w(Vx), r(Wh), kNoFlags, avx, mxcsr,
        converted<u32, u64, dword_to_float<u64>>),
    row("VEX.66.0F.WIG E6 /r", "vcvttpd2dq", w(Vdq), r(Wx), kNoFlags, avx, mxcsr,
        converted<u64, u32, float_to_dword<true>>),
    row("VEX.F2.0F.WIG E6 /r", "vcvtpd2dq", w(Vdq), r(Wx), kNoFlags, avx, mxcsr,
        converted<u64, u32, float_to_dword<false>>),

    // General registers, 64 bits by VEX.W.
    row("VEX.LIG.F3.0F.WIG 2A /r", "vcvtsi2ss", w(Vdq), r(Hdq), r(Ed), kNoFlags, avx, mxcsr,
        three_scalar<u32, from_integer<u32>>),
    row("VEX.LIG.F3.0F.W1 2A /r", "vcvtsi2ss", w(Vdq), r(Hdq), r(Eq), kNoFlags, avx, only64, mxcsr,
        three_scalar<u32, from_integer<u32>>),
    row("VEX.LIG.F2.0F.WIG 2A /r", "vcvtsi2sd", w(Vdq), r(Hdq), r(Ed), kNoFlags, avx, mxcsr,
        three_scalar<u64, from_integer<u64>>),
    row("VEX.LIG.F2.0F.W1 2A /r", "vcvtsi2sd", w(Vdq), r(Hdq), r(Eq), kNoFlags, avx, only64, mxcsr,
        three_scalar<u64, from_integer<u64>>),
    row("VEX.LIG.F3.0F.WIG 2D /r", "vcvtss2si", w(Gd), r(Wd), kNoFlags, avx, mxcsr,
        to_integer<false>),
    row("VEX.LIG.F3.0F.W1 2D /r", "vcvtss2si", w(Gq), r(Wd), kNoFlags, avx, only64, mxcsr,
        to_integer<false>),
    row("VEX.LIG.F2.0F.WIG 2D /r", "vcvtsd2si", w(Gd), r(Wq), kNoFlags, avx, mxcsr,
        to_integer<false>),
    row("VEX.LIG.F2.0F.W1 2D /r", "vcvtsd2si", w(Gq), r(Wq), kNoFlags, avx, only64, mxcsr,
        to_integer<false>),
    row("VEX.LIG.F3.0F.WIG 2C /r", "vcvttss2si", w(Gd), r(Wd), kNoFlags, avx, mxcsr,
        to_integer<true>),
    row("VEX.LIG.F3.0F.W1 2C /r", "vcvttss2si", w(Gq), r(Wd), kNoFlags, avx, only64, mxcsr,
        to_integer<true>),
    row("VEX.LIG.F2.0F.WIG 2C /r", "vcvttsd2si", w(Gd), r(Wq), kNoFlags, avx, mxcsr,
        to_integer<true>),
    row("VEX.LIG.F2.0F.W1 2C /r", "vcvttsd2si", w(Gq), r(Wq), kNoFlags, avx, only64, mxcsr,
        to_integer<true>),
};

}  // namespace

std::span<const Row> avx_convert_rows() {
  return kRows;
}

}  // namespace kite::tcg
