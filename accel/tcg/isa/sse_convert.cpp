// SSE conversions between formats, integers and MMX.
#include "accel/tcg/isa/simd.h"

namespace kite::tcg {
namespace {

using fpu::SimdFloat;

constexpr auto single_to_double = [](SimdFloat& f, u64, u32 a) { return f.to_double(a); };
constexpr auto double_to_single = [](SimdFloat& f, u32, u64 a) { return f.to_single(a); };

// CVTSI2SS and kin: sign-extended from the operand's own width.
template <class B>
constexpr auto from_integer = [](Cpu& cpu, B& dst, auto src) {
  using Signed = std::make_signed_t<std::remove_reference_t<decltype(src)>>;
  return simd_float(cpu, [&](SimdFloat& f) { dst = f.from_integer<B>(static_cast<Signed>(src)); });
};
template <bool kTruncate>
constexpr auto to_integer = [](Cpu& cpu, auto& dst, auto src) {
  using To = std::remove_reference_t<decltype(dst)>;
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = static_cast<To>(f.to_integer(src, 8 * sizeof(To), kTruncate));
  });
};

constexpr auto singles_to_doubles = [](Cpu& cpu, Vec128& dst, u64 src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = Vec128::of<u64>(
        {f.to_double(static_cast<u32>(src)), f.to_double(static_cast<u32>(src >> 32))});
  });
};
constexpr auto doubles_to_singles = [](Cpu& cpu, Vec128& dst, const Vec128& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = Vec128::of<u32>({f.to_single(src.lane<u64>(0)), f.to_single(src.lane<u64>(1)), 0, 0});
  });
};
constexpr auto dwords_to_singles = [](Cpu& cpu, Vec128& dst, const Vec128& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = vec::map<u32>(src, [&](u32 a) { return f.from_integer<u32>(static_cast<i32>(a)); });
  });
};
// Two integers of 32 bits: CVTDQ2PD, CVTPI2PD, CVTPI2PS.
template <class B>
constexpr auto pair_from_integers = [](SimdFloat& f, u64 src) {
  return std::array<B, 2>{f.from_integer<B>(static_cast<i32>(src)),
                          f.from_integer<B>(static_cast<i32>(src >> 32))};
};
constexpr auto dwords_to_doubles = [](Cpu& cpu, Vec128& dst, u64 src) {
  return simd_float(cpu,
                    [&](SimdFloat& f) { dst = Vec128::of<u64>(pair_from_integers<u64>(f, src)); });
};
constexpr auto mmx_to_doubles = [](Cpu& cpu, Vec128& dst, const Vec64& src) {
  return dwords_to_doubles(cpu, dst, src.lane<u64>(0));
};
constexpr auto dwords_to_two_singles = [](Cpu& cpu, u64& dst, u64 src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    const auto pair = pair_from_integers<u32>(f, src);
    dst = pair[0] | u64{pair[1]} << 32;
  });
};
constexpr auto mmx_to_singles = [](Cpu& cpu, u64& dst, const Vec64& src) {
  return dwords_to_two_singles(cpu, dst, src.lane<u64>(0));
};

template <bool kTruncate>
constexpr auto singles_to_dwords = [](Cpu& cpu, Vec128& dst, const Vec128& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = vec::map<u32>(src, [&](u32 a) { return f.to_integer(a, 32, kTruncate); });
  });
};
template <class B>
u64 pair_to_integers(SimdFloat& f, B low, B high, bool truncate) {
  const u32 first = static_cast<u32>(f.to_integer(low, 32, truncate));
  const u32 second = static_cast<u32>(f.to_integer(high, 32, truncate));
  return first | u64{second} << 32;
}
template <bool kTruncate>
constexpr auto doubles_to_dwords = [](Cpu& cpu, auto& dst, const Vec128& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = {};
    dst.template set_lane<u64>(
        0, pair_to_integers<u64>(f, src.lane<u64>(0), src.lane<u64>(1), kTruncate));
  });
};
template <bool kTruncate>
constexpr auto singles_to_mmx = [](Cpu& cpu, Vec64& dst, u64 src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    const u32 low = static_cast<u32>(src), high = static_cast<u32>(src >> 32);
    dst.set_lane<u64>(0, pair_to_integers<u32>(f, low, high, kTruncate));
  });
};

constexpr Row kRows[] = {
    row("NP 0F 5A /r", "cvtps2pd", w(Vdq), r(Wq), kNoFlags, sse, mxcsr, singles_to_doubles),
    row("66 0F 5A /r", "cvtpd2ps", w(Vdq), r(Wdq), kNoFlags, sse, mxcsr, doubles_to_singles),
    row("F3 0F 5A /r", "cvtss2sd", w(Vq), r(Wd), kNoFlags, sse, mxcsr, scalar<single_to_double>),
    row("F2 0F 5A /r", "cvtsd2ss", w(Vd), r(Wq), kNoFlags, sse, mxcsr, scalar<double_to_single>),
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

    row("NP 0F 2A /r", "cvtpi2ps", w(Vq), r(Nq), kNoFlags, sse, mmx, mxcsr, mmx_to_singles),
    row("NP 0F 2A /r", "cvtpi2ps", w(Vq), r(Mq), kNoFlags, sse, mxcsr, dwords_to_two_singles),
    row("66 0F 2A /r", "cvtpi2pd", w(Vdq), r(Nq), kNoFlags, sse, mmx, mxcsr, mmx_to_doubles),
    row("66 0F 2A /r", "cvtpi2pd", w(Vdq), r(Mq), kNoFlags, sse, mxcsr, dwords_to_doubles),
    row("NP 0F 2D /r", "cvtps2pi", w(Pq), r(Wq), kNoFlags, sse, mmx, mxcsr, singles_to_mmx<false>),
    row("66 0F 2D /r", "cvtpd2pi", w(Pq), r(Wdq), kNoFlags, sse, mmx, mxcsr,
        doubles_to_dwords<false>),
    row("NP 0F 2C /r", "cvttps2pi", w(Pq), r(Wq), kNoFlags, sse, mmx, mxcsr, singles_to_mmx<true>),
    row("66 0F 2C /r", "cvttpd2pi", w(Pq), r(Wdq), kNoFlags, sse, mmx, mxcsr,
        doubles_to_dwords<true>),
};

}  // namespace

std::span<const Row> sse_convert_rows() {
  return kRows;
}

}  // namespace kite::tcg
