// AVX and AVX2 moves, shuffles, permutes and broadcasts.
#include "accel/tcg/isa/lane_moves.h"
#include "accel/tcg/isa/vex_operands.h"

namespace kite::tcg {
namespace {

constexpr auto duplicate_even = [](Cpu&, Vec256& dst, const Vec256& src) {
  dst = vec::generate<u64, 32>([&](unsigned i) { return src.lane<u64>(i & ~1u); });
};

// VSHUFPD, VPERMILPD: a bit of the immediate for each lane.
constexpr auto shuffle_double_pairs = []<unsigned N>(Cpu&, Vec<N>& dst, const Vec<N>& src,
                                                     u8 control) {
  dst = vec::generate<u64, N>([&](unsigned i) {
    return (i % 2 ? src : dst).template lane<u64>((i & ~1u) + (control >> i & 1));
  });
};
constexpr auto permute_double_pairs = []<unsigned N>(Cpu&, Vec<N>& dst, const Vec<N>& src,
                                                     u8 control) {
  dst = vec::generate<u64, N>(
      [&](unsigned i) { return src.template lane<u64>((i & ~1u) + (control >> i & 1)); });
};
// VPERMILPS, VPERMILPD by a vector: the selecting bits begin at kShift.
template <class T, unsigned kShift>
constexpr auto permute_in_lanes =
    []<unsigned N>(Cpu&, Vec<N>& dst, const Vec<N>& src, const Vec<N>& control) {
      constexpr unsigned kInLane = 16 / sizeof(T);
      dst = vec::generate<T, N>([&](unsigned i) {
        const unsigned select = static_cast<unsigned>(control.template lane<T>(i) >> kShift);
        return src.template lane<T>(i / kInLane * kInLane + select % kInLane);
      });
    };

// VPERM2F128: two bits choose one of four halves, bit 3 zero instead.
constexpr auto permute_halves = [](Cpu&, Vec256& dst, const Vec256& a, const Vec256& b,
                                   u8 control) {
  const auto half = [&](unsigned select) {
    if (select & 8) return Vec128{};
    return (select & 2 ? b : a).lane128(select & 1);
  };
  dst.set_lane128(0, half(control & 15));
  dst.set_lane128(1, half(control >> 4));
};
constexpr auto insert_half = [](Cpu&, Vec256& dst, const Vec256& a, const Vec128& b, u8 control) {
  dst = a;
  dst.set_lane128(control & 1, b);
};
constexpr auto extract_half = [](Cpu&, Vec128& dst, const Vec256& src, u8 control) {
  dst = src.lane128(control & 1);
};
constexpr auto permute_dwords = [](Cpu&, Vec256& dst, const Vec256& index, const Vec256& src) {
  dst = vec::map<u32>(index, [&](u32 i) { return src.lane<u32>(i % 8); });
};
constexpr auto permute_quadwords = [](Cpu&, Vec256& dst, const Vec256& src, u8 control) {
  dst = vec::generate<u64, 32>([&](unsigned i) { return src.lane<u64>(control >> 2 * i & 3); });
};

constexpr auto broadcast = []<unsigned N, class T>(Cpu&, Vec<N>& dst, const T& src) {
  dst = vec::generate<T, N>([&](unsigned) { return src; });
};
constexpr auto broadcast_half = [](Cpu&, Vec256& dst, const Vec128& src) {
  dst.set_lane128(0, src);
  dst.set_lane128(1, src);
};

// Outside 64-bit mode only the eight registers that exist there are cleared.
template <unsigned kFrom>
constexpr auto zero = [](Cpu& cpu) {
  for (unsigned i = 0; i < (cpu.code64() ? 16u : 8u); ++i)
    std::fill(cpu.fpu.zmm[i].begin() + kFrom, cpu.fpu.zmm[i].begin() + 32, u8{0});
};

constexpr Row kRows[] = {
    // Whole registers. The aligned ones fault on addresses that are not (SDM 1 table 14-22).
    row("VEX.NP.0F.WIG 28 /r", "vmovaps", w(Vx), r(Wax), kNoFlags, avx, hot, copy),
    row("VEX.NP.0F.WIG 29 /r", "vmovaps", w(Wax), r(Vx), kNoFlags, avx, hot, copy),
    row("VEX.66.0F.WIG 28 /r", "vmovapd", w(Vx), r(Wax), kNoFlags, avx, hot, copy),
    row("VEX.66.0F.WIG 29 /r", "vmovapd", w(Wax), r(Vx), kNoFlags, avx, hot, copy),
    row("VEX.66.0F.WIG 6F /r", "vmovdqa", w(Vx), r(Wax), kNoFlags, avx, hot, copy),
    row("VEX.66.0F.WIG 7F /r", "vmovdqa", w(Wax), r(Vx), kNoFlags, avx, hot, copy),
    row("VEX.NP.0F.WIG 10 /r", "vmovups", w(Vx), r(Wx), kNoFlags, avx, hot, copy),
    row("VEX.NP.0F.WIG 11 /r", "vmovups", w(Wx), r(Vx), kNoFlags, avx, hot, copy),
    row("VEX.66.0F.WIG 10 /r", "vmovupd", w(Vx), r(Wx), kNoFlags, avx, hot, copy),
    row("VEX.66.0F.WIG 11 /r", "vmovupd", w(Wx), r(Vx), kNoFlags, avx, hot, copy),
    row("VEX.F3.0F.WIG 6F /r", "vmovdqu", w(Vx), r(Wx), kNoFlags, avx, hot, copy),
    row("VEX.F3.0F.WIG 7F /r", "vmovdqu", w(Wx), r(Vx), kNoFlags, avx, hot, copy),
    row("VEX.F2.0F.WIG F0 /r", "vlddqu", w(Vx), r(Mx), kNoFlags, avx, copy),
    row("VEX.NP.0F.WIG 2B /r", "vmovntps", w(Max), r(Vx), kNoFlags, avx, copy),
    row("VEX.66.0F.WIG 2B /r", "vmovntpd", w(Max), r(Vx), kNoFlags, avx, copy),
    row("VEX.66.0F.WIG E7 /r", "vmovntdq", w(Max), r(Vx), kNoFlags, avx, copy),
    row("VEX.66.0F38.WIG 2A /r", "vmovntdqa", w(Vx), r(Max), kNoFlags, avx, wide_avx2, copy),

    // Scalars: from memory the rest becomes zero, between registers it comes from vvvv.
    row("VEX.LIG.F3.0F.WIG 10 /r", "vmovss", w(Vdq), r(Md), kNoFlags, avx, hot, copy),
    row("VEX.LIG.F3.0F.WIG 11 /r", "vmovss", w(Md), r(Vd), kNoFlags, avx, hot, copy),
    row("VEX.LIG.F3.0F.WIG 10 /r", "vmovss", w(Vdq), r(Hdq), r(Ud), kNoFlags, avx,
        three_scalar<u32, copy>),
    row("VEX.LIG.F3.0F.WIG 11 /r", "vmovss", w(Udq), r(Hdq), r(Vd), kNoFlags, avx,
        three_scalar<u32, copy>),
    row("VEX.LIG.F2.0F.WIG 10 /r", "vmovsd", w(Vdq), r(Mq), kNoFlags, avx, hot, copy),
    row("VEX.LIG.F2.0F.WIG 11 /r", "vmovsd", w(Mq), r(Vq), kNoFlags, avx, hot, copy),
    row("VEX.LIG.F2.0F.WIG 10 /r", "vmovsd", w(Vdq), r(Hdq), r(Uq), kNoFlags, avx,
        three_scalar<u64, copy>),
    row("VEX.LIG.F2.0F.WIG 11 /r", "vmovsd", w(Udq), r(Hdq), r(Vq), kNoFlags, avx,
        three_scalar<u64, copy>),
    row("VEX.128.66.0F.WIG 6E /r", "vmovd", w(Vdq), r(Ed), kNoFlags, avx, from_general),
    row("VEX.128.66.0F.W1 6E /r", "vmovq", w(Vdq), r(Eq), kNoFlags, avx, only64, from_general),
    row("VEX.128.66.0F.WIG 7E /r", "vmovd", w(Ed), r(Vdq), kNoFlags, avx, to_general),
    row("VEX.128.66.0F.W1 7E /r", "vmovq", w(Eq), r(Vdq), kNoFlags, avx, only64, to_general),
    row("VEX.128.F3.0F.WIG 7E /r", "vmovq", w(Vdq), r(Wq), kNoFlags, avx, copy),
    row("VEX.128.66.0F.WIG D6 /r", "vmovq", w(Mq), r(Vq), kNoFlags, avx, copy),
    row("VEX.128.66.0F.WIG D6 /r", "vmovq", w(Udq), r(Vq), kNoFlags, avx, copy),

    // Halves of 128 bits.
    row("VEX.128.NP.0F.WIG 12 /r", "vmovlps", w(Vdq), r(Hdq), r(Mq), kNoFlags, avx, three<set_low>),
    row("VEX.128.NP.0F.WIG 13 /r", "vmovlps", w(Mq), r(Vq), kNoFlags, avx, copy),
    row("VEX.128.NP.0F.WIG 16 /r", "vmovhps", w(Vdq), r(Hdq), r(Mq), kNoFlags, avx,
        three<set_high>),
    row("VEX.128.NP.0F.WIG 17 /r", "vmovhps", w(Mq), r(Vdq), kNoFlags, avx, get_high),
    row("VEX.128.66.0F.WIG 12 /r", "vmovlpd", w(Vdq), r(Hdq), r(Mq), kNoFlags, avx, three<set_low>),
    row("VEX.128.66.0F.WIG 13 /r", "vmovlpd", w(Mq), r(Vq), kNoFlags, avx, copy),
    row("VEX.128.66.0F.WIG 16 /r", "vmovhpd", w(Vdq), r(Hdq), r(Mq), kNoFlags, avx,
        three<set_high>),
    row("VEX.128.66.0F.WIG 17 /r", "vmovhpd", w(Mq), r(Vdq), kNoFlags, avx, get_high),
    row("VEX.128.NP.0F.WIG 12 /r", "vmovhlps", w(Vdq), r(Hdq), r(Udq), kNoFlags, avx,
        three<high_to_low>),
    row("VEX.128.NP.0F.WIG 16 /r", "vmovlhps", w(Vdq), r(Hdq), r(Udq), kNoFlags, avx,
        three<low_to_high>),

    // Lanes moved about inside 128 bits.
    row("VEX.128.F2.0F.WIG 12 /r", "vmovddup", w(Vdq), r(Wq), kNoFlags, avx, duplicate_low),
    row("VEX.256.F2.0F.WIG 12 /r", "vmovddup", w(Vqq), r(Wqq), kNoFlags, avx, duplicate_even),
    row("VEX.F3.0F.WIG 12 /r", "vmovsldup", w(Vx), r(Wx), kNoFlags, avx, in_lanes<movsldup>),
    row("VEX.F3.0F.WIG 16 /r", "vmovshdup", w(Vx), r(Wx), kNoFlags, avx, in_lanes<movshdup>),
    row("VEX.NP.0F.WIG 14 /r", "vunpcklps", w(Vx), r(Hx), r(Wx), kNoFlags, avx,
        three<in_lanes<interleave_low<u32>>>),
    row("VEX.NP.0F.WIG 15 /r", "vunpckhps", w(Vx), r(Hx), r(Wx), kNoFlags, avx,
        three<in_lanes<interleave_high<u32>>>),
    row("VEX.NP.0F.WIG 50 /r", "vmovmskps", w(Gd), r(Ux), kNoFlags, avx, signs<u32>),
    row("VEX.66.0F.WIG 14 /r", "vunpcklpd", w(Vx), r(Hx), r(Wx), kNoFlags, avx,
        three<in_lanes<interleave_low<u64>>>),
    row("VEX.66.0F.WIG 15 /r", "vunpckhpd", w(Vx), r(Hx), r(Wx), kNoFlags, avx,
        three<in_lanes<interleave_high<u64>>>),
    row("VEX.66.0F.WIG 50 /r", "vmovmskpd", w(Gd), r(Ux), kNoFlags, avx, signs<u64>),
    row("VEX.NP.0F.WIG C6 /r ib", "vshufps", w(Vx), r(Hx), r(Wx), r(Ib), kNoFlags, avx,
        three<in_lanes<shuffle_singles>>),
    row("VEX.66.0F.WIG C6 /r ib", "vshufpd", w(Vx), r(Hx), r(Wx), r(Ib), kNoFlags, avx,
        three<shuffle_double_pairs>),
    row("VEX.66.0F3A.W0 04 /r ib", "vpermilps", w(Vx), r(Wx), r(Ib), kNoFlags, avx,
        in_lanes<shuffle_dwords>),
    row("VEX.66.0F3A.W0 05 /r ib", "vpermilpd", w(Vx), r(Wx), r(Ib), kNoFlags, avx,
        permute_double_pairs),
    row("VEX.66.0F38.W0 0C /r", "vpermilps", w(Vx), r(Hx), r(Wx), kNoFlags, avx,
        permute_in_lanes<u32, 0>),
    row("VEX.66.0F38.W0 0D /r", "vpermilpd", w(Vx), r(Hx), r(Wx), kNoFlags, avx,
        permute_in_lanes<u64, 1>),
    row("VEX.128.66.0F3A.WIG 21 /r ib", "vinsertps", w(Vdq), r(Hdq), r(Udq), r(Ib), kNoFlags, avx,
        three<insert_single>),
    row("VEX.128.66.0F3A.WIG 21 /r ib", "vinsertps", w(Vdq), r(Hdq), r(Md), r(Ib), kNoFlags, avx,
        three<insert_single_memory>),
    row("VEX.128.66.0F3A.WIG 17 /r ib", "vextractps", w(Ed), r(Vdq), r(Ib), kNoFlags, avx,
        extract_lane<u32>),

    // Across lanes.
    row("VEX.256.66.0F3A.W0 06 /r ib", "vperm2f128", w(Vqq), r(Hqq), r(Wqq), r(Ib), kNoFlags, avx,
        permute_halves),
    row("VEX.256.66.0F3A.W0 46 /r ib", "vperm2i128", w(Vqq), r(Hqq), r(Wqq), r(Ib), kNoFlags, avx,
        Feature::kAvx2, permute_halves),
    row("VEX.256.66.0F3A.W0 18 /r ib", "vinsertf128", w(Vqq), r(Hqq), r(Wdq), r(Ib), kNoFlags, avx,
        insert_half),
    row("VEX.256.66.0F3A.W0 38 /r ib", "vinserti128", w(Vqq), r(Hqq), r(Wdq), r(Ib), kNoFlags, avx,
        Feature::kAvx2, insert_half),
    row("VEX.256.66.0F3A.W0 19 /r ib", "vextractf128", w(Wdq), r(Vqq), r(Ib), kNoFlags, avx,
        extract_half),
    row("VEX.256.66.0F3A.W0 39 /r ib", "vextracti128", w(Wdq), r(Vqq), r(Ib), kNoFlags, avx,
        Feature::kAvx2, extract_half),
    row("VEX.256.66.0F38.W0 36 /r", "vpermd", w(Vqq), r(Hqq), r(Wqq), kNoFlags, avx, Feature::kAvx2,
        permute_dwords),
    row("VEX.256.66.0F38.W0 16 /r", "vpermps", w(Vqq), r(Hqq), r(Wqq), kNoFlags, avx,
        Feature::kAvx2, permute_dwords),
    row("VEX.256.66.0F3A.W1 00 /r ib", "vpermq", w(Vqq), r(Wqq), r(Ib), kNoFlags, avx,
        Feature::kAvx2, permute_quadwords),
    row("VEX.256.66.0F3A.W1 01 /r ib", "vpermpd", w(Vqq), r(Wqq), r(Ib), kNoFlags, avx,
        Feature::kAvx2, permute_quadwords),

    // Broadcasts. From a register they are AVX2's.
    row("VEX.66.0F38.W0 18 /r", "vbroadcastss", w(Vx), r(Md), kNoFlags, avx, broadcast),
    row("VEX.66.0F38.W0 18 /r", "vbroadcastss", w(Vx), r(Ud), kNoFlags, avx, Feature::kAvx2,
        broadcast),
    row("VEX.256.66.0F38.W0 19 /r", "vbroadcastsd", w(Vqq), r(Mq), kNoFlags, avx, broadcast),
    row("VEX.256.66.0F38.W0 19 /r", "vbroadcastsd", w(Vqq), r(Uq), kNoFlags, avx, Feature::kAvx2,
        broadcast),
    row("VEX.256.66.0F38.W0 1A /r", "vbroadcastf128", w(Vqq), r(Mdq), kNoFlags, avx,
        broadcast_half),
    row("VEX.256.66.0F38.W0 5A /r", "vbroadcasti128", w(Vqq), r(Mdq), kNoFlags, avx, Feature::kAvx2,
        broadcast_half),
    row("VEX.66.0F38.W0 78 /r", "vpbroadcastb", w(Vx), r(Wb), kNoFlags, avx, Feature::kAvx2,
        broadcast),
    row("VEX.66.0F38.W0 79 /r", "vpbroadcastw", w(Vx), r(Ww), kNoFlags, avx, Feature::kAvx2,
        broadcast),
    row("VEX.66.0F38.W0 58 /r", "vpbroadcastd", w(Vx), r(Wd), kNoFlags, avx, Feature::kAvx2,
        broadcast),
    row("VEX.66.0F38.W0 59 /r", "vpbroadcastq", w(Vx), r(Wq), kNoFlags, avx, Feature::kAvx2,
        broadcast),

    // The upper halves, or everything, to zero.
    row("VEX.128.NP.0F.WIG 77", "vzeroupper", kNoFlags, avx, zero<16>),
    row("VEX.256.NP.0F.WIG 77", "vzeroall", kNoFlags, avx, zero<0>),
};

}  // namespace

std::span<const Row> avx_move_rows() {
  return kRows;
}

}  // namespace kite::tcg
