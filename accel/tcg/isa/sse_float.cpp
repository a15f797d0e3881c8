// SSE, SSE2 and SSE3 floating-point arithmetic and comparison.
#include "accel/tcg/isa/simd.h"

namespace kite::tcg {
namespace {

using fpu::SimdFloat;

constexpr auto add_ = [](SimdFloat& f, auto a, auto b) { return f.add(a, b); };
constexpr auto sub_ = [](SimdFloat& f, auto a, auto b) { return f.subtract(a, b); };
constexpr auto mul_ = [](SimdFloat& f, auto a, auto b) { return f.multiply(a, b); };
constexpr auto div_ = [](SimdFloat& f, auto a, auto b) { return f.divide(a, b); };
constexpr auto min_ = [](SimdFloat& f, auto a, auto b) { return f.minimum(a, b); };
constexpr auto max_ = [](SimdFloat& f, auto a, auto b) { return f.maximum(a, b); };
constexpr auto sqrt_ = [](SimdFloat& f, auto, auto b) { return f.square_root(b); };
constexpr auto rcp_ = [](SimdFloat& f, u32, u32 b) { return f.approximate_reciprocal(b); };
constexpr auto rsqrt_ = [](SimdFloat& f, u32, u32 b) { return f.approximate_reciprocal_root(b); };

template <class B>
constexpr auto compare_packed = [](Cpu& cpu, Vec128& dst, const Vec128& src, u8 predicate) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = vec::map<B>(dst, src, [&](B a, B b) { return f.compare(a, b, predicate & 7); });
  });
};
constexpr auto compare_scalar = [](Cpu& cpu, auto& dst, auto src, u8 predicate) {
  return simd_float(cpu, [&](SimdFloat& f) { dst = f.compare(dst, src, predicate & 7); });
};

// COMISS, UCOMISS: ZF, PF, CF tell the order, OF, SF, AF become 0 (SDM 2A COMISS).
template <bool kSignaling>
constexpr auto compare_to_flags = [](Cpu& cpu, auto a, auto b) {
  return simd_float(cpu, [&](SimdFloat& f) {
    constexpr u64 kCodes[] = {0x01, 0x40, 0x00, 0x45};  // less, equal, greater, unordered
    const u64 code = kCodes[static_cast<unsigned>(f.order(a, b, kSignaling))];
    if (!f.faults()) cpu.flags.set(code);
  });
};

// ADDSUBPS: even lanes subtract, odd lanes add.
template <class B>
constexpr auto add_subtract = [](Cpu& cpu, Vec128& dst, const Vec128& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = vec::generate<B, 16>([&](unsigned i) {
      const B a = dst.lane<B>(i), b = src.lane<B>(i);
      return i % 2 ? f.add(a, b) : f.subtract(a, b);
    });
  });
};
template <class B, auto kOperation>
constexpr auto horizontally = [](Cpu& cpu, Vec128& dst, const Vec128& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = vec::horizontal<B>(dst, src, [&](B a, B b) { return kOperation(f, a, b); });
  });
};

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
        compare_packed<u32>),
    row("66 0F C2 /r ib", "cmppd", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, mxcsr,
        compare_packed<u64>),
    row("F3 0F C2 /r ib", "cmpss", rw(Vd), r(Wd), r(Ib), kNoFlags, sse, mxcsr, compare_scalar),
    row("F2 0F C2 /r ib", "cmpsd", rw(Vq), r(Wq), r(Ib), kNoFlags, sse, mxcsr, compare_scalar),
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
