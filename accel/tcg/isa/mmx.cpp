// MMX, with what SSE and SSSE3 added to its registers.
#include "accel/tcg/isa/packed_integer.h"

namespace kite::tcg {
namespace {

constexpr auto emms = [](Cpu& cpu) -> Flow {
  if (!enter_mmx(cpu)) return Flow::kFault;
  cpu.fpu.ftw = 0;
  return Flow::kNext;
};
// MOVD, MOVQ between MMX and general registers or memory.
constexpr auto from_general = [](Cpu&, Vec64& dst, auto src) { dst.set_lane<u64>(0, src); };
constexpr auto to_general = [](Cpu&, auto& dst, const Vec64& src) {
  dst = src.lane<std::remove_reference_t<decltype(dst)>>(0);
};
constexpr auto shuffle_words =
    shuffle<[](const Vec64& a, u8 control) { return vec::shuffle4<u16>(a, control); }>;
constexpr auto from_xmm = [](Cpu&, Vec64& dst, u64 src) { dst.set_lane<u64>(0, src); };
constexpr auto to_xmm = [](Cpu&, Vec128& dst, const Vec64& src) {
  dst = Vec128::of<u64>({src.lane<u64>(0), 0});
};

constexpr Row kRows[] = {
    row("NP 0F 77", "emms", kNoFlags, mmx, emms),
    row("NP 0F 6E /r", "movd", w(Pq), r(Ey), kNoFlags, mmx, from_general),
    row("NP 0F 7E /r", "movd", w(Ey), r(Pq), kNoFlags, mmx, to_general),
    row("NP 0F 6F /r", "movq", w(Pq), r(Qq), kNoFlags, mmx, copy),
    row("NP 0F 7F /r", "movq", w(Qq), r(Pq), kNoFlags, mmx, copy),
    row("NP 0F E7 /r", "movntq", w(Mq), r(Pq), kNoFlags, mmx, to_general),
    row("NP 0F F7 /r", "maskmovq", r(Pq), r(Nq), kNoFlags, mmx, masked_store),
    row("NP 0F 70 /r ib", "pshufw", w(Pq), r(Qq), r(Ib), kNoFlags, mmx, shuffle_words),
    row("NP 0F C4 /r ib", "pinsrw", rw(Pq), r(Mw), r(Ib), kNoFlags, mmx, insert_lane<u16>),
    row("NP 0F C4 /r ib", "pinsrw", rw(Pq), r(Rd), r(Ib), kNoFlags, mmx, insert_lane<u16>),
    row("NP 0F C5 /r ib", "pextrw", w(Gd), r(Nq), r(Ib), kNoFlags, mmx, extract_lane<u16>),
    row("NP 0F D7 /r", "pmovmskb", w(Gd), r(Nq), kNoFlags, mmx, signs<u8>),
    row("NP 0F 3A 0F /r ib", "palignr", rw(Pq), r(Qq), r(Ib), kNoFlags, mmx, Feature::kSsse3,
        align),
    row("F2 0F D6 /r", "movdq2q", w(Pq), r(Uq), kNoFlags, sse, mmx, from_xmm),
    row("F3 0F D6 /r", "movq2dq", w(Vdq), r(Nq), kNoFlags, sse, mmx, to_xmm),

    row("NP 0F FC /r", "paddb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u8, vec::add>),
    row("NP 0F FD /r", "paddw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u16, vec::add>),
    row("NP 0F FE /r", "paddd", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u32, vec::add>),
    row("NP 0F D4 /r", "paddq", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u64, vec::add>),
    row("NP 0F EC /r", "paddsb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i8, vec::add_saturating>),
    row("NP 0F ED /r", "paddsw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i16, vec::add_saturating>),
    row("NP 0F DC /r", "paddusb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u8, vec::add_saturating>),
    row("NP 0F DD /r", "paddusw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u16, vec::add_saturating>),
    row("NP 0F F8 /r", "psubb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u8, vec::sub>),
    row("NP 0F F9 /r", "psubw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u16, vec::sub>),
    row("NP 0F FA /r", "psubd", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u32, vec::sub>),
    row("NP 0F FB /r", "psubq", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u64, vec::sub>),
    row("NP 0F E8 /r", "psubsb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i8, vec::sub_saturating>),
    row("NP 0F E9 /r", "psubsw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i16, vec::sub_saturating>),
    row("NP 0F D8 /r", "psubusb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u8, vec::sub_saturating>),
    row("NP 0F D9 /r", "psubusw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u16, vec::sub_saturating>),
    row("NP 0F D5 /r", "pmullw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u16, vec::multiply_low>),
    row("NP 0F E5 /r", "pmulhw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i16, vec::multiply_high>),
    row("NP 0F E4 /r", "pmulhuw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u16, vec::multiply_high>),
    row("NP 0F F4 /r", "pmuludq", rw(Pq), r(Qq), kNoFlags, mmx, multiply_even<u32>),
    row("NP 0F F5 /r", "pmaddwd", rw(Pq), r(Qq), kNoFlags, mmx, multiply_add_words),
    row("NP 0F F6 /r", "psadbw", rw(Pq), r(Qq), kNoFlags, mmx, sum_of_differences),
    row("NP 0F E0 /r", "pavgb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u8, vec::average>),
    row("NP 0F E3 /r", "pavgw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u16, vec::average>),
    row("NP 0F DA /r", "pminub", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u8, vec::minimum>),
    row("NP 0F DE /r", "pmaxub", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u8, vec::maximum>),
    row("NP 0F EA /r", "pminsw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i16, vec::minimum>),
    row("NP 0F EE /r", "pmaxsw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i16, vec::maximum>),
    row("NP 0F 74 /r", "pcmpeqb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u8, vec::equal>),
    row("NP 0F 75 /r", "pcmpeqw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u16, vec::equal>),
    row("NP 0F 76 /r", "pcmpeqd", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u32, vec::equal>),
    row("NP 0F 64 /r", "pcmpgtb", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i8, vec::greater>),
    row("NP 0F 65 /r", "pcmpgtw", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i16, vec::greater>),
    row("NP 0F 66 /r", "pcmpgtd", rw(Pq), r(Qq), kNoFlags, mmx, lanes<i32, vec::greater>),
    row("NP 0F DB /r", "pand", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u64, vec::bit_and>),
    row("NP 0F DF /r", "pandn", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u64, vec::bit_and_not>),
    row("NP 0F EB /r", "por", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u64, vec::bit_or>),
    row("NP 0F EF /r", "pxor", rw(Pq), r(Qq), kNoFlags, mmx, lanes<u64, vec::bit_xor>),
    row("NP 0F 63 /r", "packsswb", rw(Pq), r(Qq), kNoFlags, mmx, pack_lanes<i16, i8>),
    row("NP 0F 67 /r", "packuswb", rw(Pq), r(Qq), kNoFlags, mmx, pack_lanes<i16, u8>),
    row("NP 0F 6B /r", "packssdw", rw(Pq), r(Qq), kNoFlags, mmx, pack_lanes<i32, i16>),
    row("NP 0F 60 /r", "punpcklbw", rw(Pq), r(Qd), kNoFlags, mmx, interleave_low<u8>),
    row("NP 0F 61 /r", "punpcklwd", rw(Pq), r(Qd), kNoFlags, mmx, interleave_low<u16>),
    row("NP 0F 62 /r", "punpckldq", rw(Pq), r(Qd), kNoFlags, mmx, interleave_low<u32>),
    row("NP 0F 68 /r", "punpckhbw", rw(Pq), r(Qq), kNoFlags, mmx, interleave_high<u8>),
    row("NP 0F 69 /r", "punpckhwd", rw(Pq), r(Qq), kNoFlags, mmx, interleave_high<u16>),
    row("NP 0F 6A /r", "punpckhdq", rw(Pq), r(Qq), kNoFlags, mmx, interleave_high<u32>),
    row("NP 0F F1 /r", "psllw", rw(Pq), r(Qq), kNoFlags, mmx, shift_left<u16>),
    row("NP 0F F2 /r", "pslld", rw(Pq), r(Qq), kNoFlags, mmx, shift_left<u32>),
    row("NP 0F F3 /r", "psllq", rw(Pq), r(Qq), kNoFlags, mmx, shift_left<u64>),
    row("NP 0F D1 /r", "psrlw", rw(Pq), r(Qq), kNoFlags, mmx, shift_right<u16>),
    row("NP 0F D2 /r", "psrld", rw(Pq), r(Qq), kNoFlags, mmx, shift_right<u32>),
    row("NP 0F D3 /r", "psrlq", rw(Pq), r(Qq), kNoFlags, mmx, shift_right<u64>),
    row("NP 0F E1 /r", "psraw", rw(Pq), r(Qq), kNoFlags, mmx, shift_right<i16>),
    row("NP 0F E2 /r", "psrad", rw(Pq), r(Qq), kNoFlags, mmx, shift_right<i32>),

    row("NP 0F 71 /2 ib", "psrlw", rw(Nq), r(Ib), kNoFlags, mmx, shift_right<u16>),
    row("NP 0F 71 /4 ib", "psraw", rw(Nq), r(Ib), kNoFlags, mmx, shift_right<i16>),
    row("NP 0F 71 /6 ib", "psllw", rw(Nq), r(Ib), kNoFlags, mmx, shift_left<u16>),
    row("NP 0F 72 /2 ib", "psrld", rw(Nq), r(Ib), kNoFlags, mmx, shift_right<u32>),
    row("NP 0F 72 /4 ib", "psrad", rw(Nq), r(Ib), kNoFlags, mmx, shift_right<i32>),
    row("NP 0F 72 /6 ib", "pslld", rw(Nq), r(Ib), kNoFlags, mmx, shift_left<u32>),
    row("NP 0F 73 /2 ib", "psrlq", rw(Nq), r(Ib), kNoFlags, mmx, shift_right<u64>),
    row("NP 0F 73 /6 ib", "psllq", rw(Nq), r(Ib), kNoFlags, mmx, shift_left<u64>),

    row("NP 0F 38 00 /r", "pshufb", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3, shuffle_lanes),
    row("NP 0F 38 01 /r", "phaddw", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        pairs<u16, vec::add>),
    row("NP 0F 38 02 /r", "phaddd", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        pairs<u32, vec::add>),
    row("NP 0F 38 03 /r", "phaddsw", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        pairs<i16, vec::add_saturating>),
    row("NP 0F 38 04 /r", "pmaddubsw", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        multiply_add_bytes),
    row("NP 0F 38 05 /r", "phsubw", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        pairs<u16, vec::sub>),
    row("NP 0F 38 06 /r", "phsubd", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        pairs<u32, vec::sub>),
    row("NP 0F 38 07 /r", "phsubsw", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        pairs<i16, vec::sub_saturating>),
    row("NP 0F 38 08 /r", "psignb", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        lanes<i8, vec::copy_sign>),
    row("NP 0F 38 09 /r", "psignw", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        lanes<i16, vec::copy_sign>),
    row("NP 0F 38 0A /r", "psignd", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        lanes<i32, vec::copy_sign>),
    row("NP 0F 38 0B /r", "pmulhrsw", rw(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        lanes<i16, vec::multiply_high_rounded>),
    row("NP 0F 38 1C /r", "pabsb", w(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        lanes_of_one<i8, vec::absolute>),
    row("NP 0F 38 1D /r", "pabsw", w(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        lanes_of_one<i16, vec::absolute>),
    row("NP 0F 38 1E /r", "pabsd", w(Pq), r(Qq), kNoFlags, mmx, Feature::kSsse3,
        lanes_of_one<i32, vec::absolute>),
};

}  // namespace

std::span<const Row> mmx_rows() {
  return kRows;
}

}  // namespace kite::tcg
