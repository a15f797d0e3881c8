// SSE conversions between formats, integers and MMX.
#include "accel/tcg/isa/simd_float.h"

namespace kite::tcg {
namespace {

constexpr auto singles_to_doubles = converted<u32, u64, single_to_double>;
constexpr auto doubles_to_singles = converted<u64, u32, double_to_single>;
constexpr auto dwords_to_singles = converted<u32, u32, dword_to_float<u32>>;
constexpr auto dwords_to_doubles = converted<u32, u64, dword_to_float<u64>>;
template <bool kTruncate>
constexpr auto singles_to_dwords = converted<u32, u32, float_to_dword<kTruncate>>;
template <bool kTruncate>
constexpr auto doubles_to_dwords = converted<u64, u32, float_to_dword<kTruncate>>;

constexpr Row kRows[] = {
    row("NP 0F 5A /r", "cvtps2pd", w(Vdq), r(Wq), kNoFlags, sse, mxcsr, singles_to_doubles),
    row("66 0F 5A /r", "cvtpd2ps", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, doubles_to_singles),
    row("F3 0F 5A /r", "cvtss2sd", w(Vq), r(Wd), kNoFlags, sse, mxcsr,
        converted_scalar<single_to_double>),
    row("F2 0F 5A /r", "cvtsd2ss", w(Vd), r(Wq), kNoFlags, sse, mxcsr,
        converted_scalar<double_to_single>),
    row("NP 0F 5B /r", "cvtdq2ps", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, dwords_to_singles),
    row("66 0F 5B /r", "cvtps2dq", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, singles_to_dwords<false>),
    row("F3 0F 5B /r", "cvttps2dq", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, singles_to_dwords<true>),
    row("F3 0F E6 /r", "cvtdq2pd", w(Vdq), r(Wq), kNoFlags, sse, mxcsr, dwords_to_doubles),
    row("66 0F E6 /r", "cvttpd2dq", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, doubles_to_dwords<true>),
    row("F2 0F E6 /r", "cvtpd2dq", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, doubles_to_dwords<false>),

    row("F3 0F 2A /r", "cvtsi2ss", w(Vd), r(Ey), kNoFlags, sse, mxcsr, from_integer<u32>),
    row("F2 0F 2A /r", "cvtsi2sd", w(Vq), r(Ey), kNoFlags, sse, mxcsr, from_integer<u64>),
    row("F3 0F 2D /r", "cvtss2si", w(Gy), r(Wd), kNoFlags, sse, mxcsr, to_integer<false>),
    row("F2 0F 2D /r", "cvtsd2si", w(Gy), r(Wq), kNoFlags, sse, mxcsr, to_integer<false>),
    row("F3 0F 2C /r", "cvttss2si", w(Gy), r(Wd), kNoFlags, sse, mxcsr, to_integer<true>),
    row("F2 0F 2C /r", "cvttsd2si", w(Gy), r(Wq), kNoFlags, sse, mxcsr, to_integer<true>),

    row("NP 0F 2A /r", "cvtpi2ps", w(Vq), r(Nq), kNoFlags, sse, mmx, mxcsr, dwords_to_singles),
    row("NP 0F 2A /r", "cvtpi2ps", w(Vq), r(Mq), kNoFlags, sse, mxcsr, dwords_to_singles),
    row("66 0F 2A /r", "cvtpi2pd", w(Vdq), r(Nq), kNoFlags, sse, mmx, mxcsr, dwords_to_doubles),
    row("66 0F 2A /r", "cvtpi2pd", w(Vdq), r(Mq), kNoFlags, sse, mxcsr, dwords_to_doubles),
    row("NP 0F 2D /r", "cvtps2pi", w(Pq), r(Wq), kNoFlags, sse, mmx, mxcsr,
        singles_to_dwords<false>),
    row("66 0F 2D /r", "cvtpd2pi", w(Pq), r(Wdq), kNoFlags, sse, mmx, mxcsr,
        doubles_to_dwords<false>),
    row("NP 0F 2C /r", "cvttps2pi", w(Pq), r(Wq), kNoFlags, sse, mmx, mxcsr,
        singles_to_dwords<true>),
    row("66 0F 2C /r", "cvttpd2pi", w(Pq), r(Wdq), kNoFlags, sse, mmx, mxcsr,
        doubles_to_dwords<true>),
};

}  // namespace

std::span<const Row> sse_convert_rows() {
  return kRows;
}

}  // namespace kite::tcg
