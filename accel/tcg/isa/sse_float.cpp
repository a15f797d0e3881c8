// SSE, SSE2 and SSE3 floating-point arithmetic and comparison.
#include "accel/tcg/isa/simd_float.h"

namespace kite::tcg {
namespace {

constexpr Row kRows[] = {
    row("NP 0F 58 /r", "addps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u32, add_>),
    row("66 0F 58 /r", "addpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u64, add_>),
    row("F3 0F 58 /r", "addss", rw(Vd), r(Wd), kNoFlags, sse, mxcsr, hot, scalar<add_>),
    row("F2 0F 58 /r", "addsd", rw(Vq), r(Wq), kNoFlags, sse, mxcsr, hot, scalar<add_>),
    row("NP 0F 59 /r", "mulps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u32, mul_>),
    row("66 0F 59 /r", "mulpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u64, mul_>),
    row("F3 0F 59 /r", "mulss", rw(Vd), r(Wd), kNoFlags, sse, mxcsr, hot, scalar<mul_>),
    row("F2 0F 59 /r", "mulsd", rw(Vq), r(Wq), kNoFlags, sse, mxcsr, hot, scalar<mul_>),
    row("NP 0F 5C /r", "subps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u32, sub_>),
    row("66 0F 5C /r", "subpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u64, sub_>),
    row("F3 0F 5C /r", "subss", rw(Vd), r(Wd), kNoFlags, sse, mxcsr, hot, scalar<sub_>),
    row("F2 0F 5C /r", "subsd", rw(Vq), r(Wq), kNoFlags, sse, mxcsr, hot, scalar<sub_>),
    row("NP 0F 5E /r", "divps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u32, div_>),
    row("66 0F 5E /r", "divpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u64, div_>),
    row("F3 0F 5E /r", "divss", rw(Vd), r(Wd), kNoFlags, sse, mxcsr, hot, scalar<div_>),
    row("F2 0F 5E /r", "divsd", rw(Vq), r(Wq), kNoFlags, sse, mxcsr, hot, scalar<div_>),
    row("NP 0F 5D /r", "minps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u32, min_>),
    row("66 0F 5D /r", "minpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u64, min_>),
    row("F3 0F 5D /r", "minss", rw(Vd), r(Wd), kNoFlags, sse, mxcsr, scalar<min_>),
    row("F2 0F 5D /r", "minsd", rw(Vq), r(Wq), kNoFlags, sse, mxcsr, scalar<min_>),
    row("NP 0F 5F /r", "maxps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u32, max_>),
    row("66 0F 5F /r", "maxpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u64, max_>),
    row("F3 0F 5F /r", "maxss", rw(Vd), r(Wd), kNoFlags, sse, mxcsr, scalar<max_>),
    row("F2 0F 5F /r", "maxsd", rw(Vq), r(Wq), kNoFlags, sse, mxcsr, scalar<max_>),
    row("NP 0F 51 /r", "sqrtps", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u32, sqrt_>),
    row("66 0F 51 /r", "sqrtpd", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, packed<u64, sqrt_>),
    row("F3 0F 51 /r", "sqrtss", w(Vd), r(Wd), kNoFlags, sse, mxcsr, scalar<sqrt_>),
    row("F2 0F 51 /r", "sqrtsd", w(Vq), r(Wq), kNoFlags, sse, mxcsr, scalar<sqrt_>),
    row("NP 0F 53 /r", "rcpps", w(Vdq), r(Wdq), kNoFlags, sse, packed<u32, rcp_>),
    row("F3 0F 53 /r", "rcpss", w(Vd), r(Wd), kNoFlags, sse, scalar<rcp_>),
    row("NP 0F 52 /r", "rsqrtps", w(Vdq), r(Wdq), kNoFlags, sse, packed<u32, rsqrt_>),
    row("F3 0F 52 /r", "rsqrtss", w(Vd), r(Wd), kNoFlags, sse, scalar<rsqrt_>),

    row("NP 0F C2 /r ib", "cmpps", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, mxcsr,
        compare_packed<u32, 8>),
    row("66 0F C2 /r ib", "cmppd", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, mxcsr,
        compare_packed<u64, 8>),
    row("F3 0F C2 /r ib", "cmpss", rw(Vd), r(Wd), r(Ib), kNoFlags, sse, mxcsr, compare_scalar<8>),
    row("F2 0F C2 /r ib", "cmpsd", rw(Vq), r(Wq), r(Ib), kNoFlags, sse, mxcsr, compare_scalar<8>),
    row("NP 0F 2F /r", "comiss", r(Vd), r(Wd), "00M0MM", sse, mxcsr, hot, compare_to_flags<true>),
    row("66 0F 2F /r", "comisd", r(Vq), r(Wq), "00M0MM", sse, mxcsr, hot, compare_to_flags<true>),
    row("NP 0F 2E /r", "ucomiss", r(Vd), r(Wd), "00M0MM", sse, mxcsr, hot, compare_to_flags<false>),
    row("66 0F 2E /r", "ucomisd", r(Vq), r(Wq), "00M0MM", sse, mxcsr, hot, compare_to_flags<false>),

    row("F2 0F D0 /r", "addsubps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, Feature::kSse3,
        add_subtract<u32>),
    row("66 0F D0 /r", "addsubpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, Feature::kSse3,
        add_subtract<u64>),
    row("F2 0F 7C /r", "haddps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, Feature::kSse3,
        horizontally<u32, add_>),
    row("66 0F 7C /r", "haddpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, Feature::kSse3,
        horizontally<u64, add_>),
    row("F2 0F 7D /r", "hsubps", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, Feature::kSse3,
        horizontally<u32, sub_>),
    row("66 0F 7D /r", "hsubpd", rw(Vdq), r(Wdq), kNoFlags, sse, mxcsr, Feature::kSse3,
        horizontally<u64, sub_>),
};

}  // namespace

std::span<const Row> sse_float_rows() {
  return kRows;
}

}  // namespace kite::tcg
