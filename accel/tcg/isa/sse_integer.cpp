// Packed integers in XMM registers: SSE2 and SSSE3.
#include "accel/tcg/isa/packed_integer.h"

namespace kite::tcg {
namespace {

constexpr auto from_general = [](Cpu&, Vec128& dst, auto src) { dst = Vec128::of<u64>({src, 0}); };
constexpr auto to_general = [](Cpu&, auto& dst, const Vec128& src) {
  dst = src.lane<std::remove_reference_t<decltype(dst)>>(0);
};
constexpr auto shift_bytes_left = [](Cpu&, Vec128& dst, u8 count) {
  dst = vec::shift_bytes_left(dst, count);
};
constexpr auto shift_bytes_right = [](Cpu&, Vec128& dst, u8 count) {
  dst = vec::shift_bytes_right(dst, count);
};
constexpr auto shuffle_dwords =
    shuffle<[](const Vec128& a, u8 c) { return vec::shuffle4<u32>(a, c); }>;
constexpr auto shuffle_low =
    shuffle<[](const Vec128& a, u8 c) { return vec::shuffle_low_words(a, c); }>;
constexpr auto shuffle_high =
    shuffle<[](const Vec128& a, u8 c) { return vec::shuffle_high_words(a, c); }>;

constexpr Row kRows[] = {
    row("66 0F 6E /r", "movd", w(Vx), r(Ey), kNoFlags, sse, from_general),
    row("66 0F 7E /r", "movd", w(Ey), r(Vx), kNoFlags, sse, to_general),
    row("66 0F 70 /r ib", "pshufd", w(Vx), r(Wx), r(Ib), kNoFlags, sse, shuffle_dwords),
    row("F2 0F 70 /r ib", "pshuflw", w(Vx), r(Wx), r(Ib), kNoFlags, sse, shuffle_low),
    row("F3 0F 70 /r ib", "pshufhw", w(Vx), r(Wx), r(Ib), kNoFlags, sse, shuffle_high),
    row("66 0F C4 /r ib", "pinsrw", rw(Vx), r(Mw), r(Ib), kNoFlags, sse, insert_lane<u16>),
    row("66 0F C4 /r ib", "pinsrw", rw(Vx), r(Rd), r(Ib), kNoFlags, sse, insert_lane<u16>),
    row("66 0F C5 /r ib", "pextrw", w(Gd), r(Ux), r(Ib), kNoFlags, sse, extract_lane<u16>),
    row("66 0F D7 /r", "pmovmskb", w(Gd), r(Ux), kNoFlags, sse, hot, signs<u8>),
    row("66 0F F7 /r", "maskmovdqu", r(Vx), r(Ux), kNoFlags, sse, masked_store),
    row("66 0F 6C /r", "punpcklqdq", rw(Vx), r(Wx), kNoFlags, sse, interleave_low<u64>),
    row("66 0F 6D /r", "punpckhqdq", rw(Vx), r(Wx), kNoFlags, sse, interleave_high<u64>),
    row("66 0F 73 /3 ib", "psrldq", rw(Ux), r(Ib), kNoFlags, sse, shift_bytes_right),
    row("66 0F 73 /7 ib", "pslldq", rw(Ux), r(Ib), kNoFlags, sse, shift_bytes_left),
    row("66 0F 3A 0F /r ib", "palignr", rw(Vx), r(Wx), r(Ib), kNoFlags, sse, Feature::kSsse3,
        align),

    row("66 0F FC /r", "paddb", rw(Vx), r(Wx), kNoFlags, sse, lanes<u8, vec::add>),
    row("66 0F FD /r", "paddw", rw(Vx), r(Wx), kNoFlags, sse, lanes<u16, vec::add>),
    row("66 0F FE /r", "paddd", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u32, vec::add>),
    row("66 0F D4 /r", "paddq", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u64, vec::add>),
    row("66 0F EC /r", "paddsb", rw(Vx), r(Wx), kNoFlags, sse, lanes<i8, vec::add_saturating>),
    row("66 0F ED /r", "paddsw", rw(Vx), r(Wx), kNoFlags, sse, lanes<i16, vec::add_saturating>),
    row("66 0F DC /r", "paddusb", rw(Vx), r(Wx), kNoFlags, sse, lanes<u8, vec::add_saturating>),
    row("66 0F DD /r", "paddusw", rw(Vx), r(Wx), kNoFlags, sse, lanes<u16, vec::add_saturating>),
    row("66 0F F8 /r", "psubb", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u8, vec::sub>),
    row("66 0F F9 /r", "psubw", rw(Vx), r(Wx), kNoFlags, sse, lanes<u16, vec::sub>),
    row("66 0F FA /r", "psubd", rw(Vx), r(Wx), kNoFlags, sse, lanes<u32, vec::sub>),
    row("66 0F FB /r", "psubq", rw(Vx), r(Wx), kNoFlags, sse, lanes<u64, vec::sub>),
    row("66 0F E8 /r", "psubsb", rw(Vx), r(Wx), kNoFlags, sse, lanes<i8, vec::sub_saturating>),
    row("66 0F E9 /r", "psubsw", rw(Vx), r(Wx), kNoFlags, sse, lanes<i16, vec::sub_saturating>),
    row("66 0F D8 /r", "psubusb", rw(Vx), r(Wx), kNoFlags, sse, lanes<u8, vec::sub_saturating>),
    row("66 0F D9 /r", "psubusw", rw(Vx), r(Wx), kNoFlags, sse, lanes<u16, vec::sub_saturating>),
    row("66 0F D5 /r", "pmullw", rw(Vx), r(Wx), kNoFlags, sse, lanes<u16, vec::multiply_low>),
    row("66 0F E5 /r", "pmulhw", rw(Vx), r(Wx), kNoFlags, sse, lanes<i16, vec::multiply_high>),
    row("66 0F E4 /r", "pmulhuw", rw(Vx), r(Wx), kNoFlags, sse, lanes<u16, vec::multiply_high>),
    row("66 0F F4 /r", "pmuludq", rw(Vx), r(Wx), kNoFlags, sse, multiply_even<u32>),
    row("66 0F F5 /r", "pmaddwd", rw(Vx), r(Wx), kNoFlags, sse, multiply_add_words),
    row("66 0F F6 /r", "psadbw", rw(Vx), r(Wx), kNoFlags, sse, sum_of_differences),
    row("66 0F E0 /r", "pavgb", rw(Vx), r(Wx), kNoFlags, sse, lanes<u8, vec::average>),
    row("66 0F E3 /r", "pavgw", rw(Vx), r(Wx), kNoFlags, sse, lanes<u16, vec::average>),
    row("66 0F DA /r", "pminub", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u8, vec::minimum>),
    row("66 0F DE /r", "pmaxub", rw(Vx), r(Wx), kNoFlags, sse, lanes<u8, vec::maximum>),
    row("66 0F EA /r", "pminsw", rw(Vx), r(Wx), kNoFlags, sse, lanes<i16, vec::minimum>),
    row("66 0F EE /r", "pmaxsw", rw(Vx), r(Wx), kNoFlags, sse, lanes<i16, vec::maximum>),
    row("66 0F 74 /r", "pcmpeqb", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u8, vec::equal>),
    row("66 0F 75 /r", "pcmpeqw", rw(Vx), r(Wx), kNoFlags, sse, lanes<u16, vec::equal>),
    row("66 0F 76 /r", "pcmpeqd", rw(Vx), r(Wx), kNoFlags, sse, lanes<u32, vec::equal>),
    row("66 0F 64 /r", "pcmpgtb", rw(Vx), r(Wx), kNoFlags, sse, lanes<i8, vec::greater>),
    row("66 0F 65 /r", "pcmpgtw", rw(Vx), r(Wx), kNoFlags, sse, lanes<i16, vec::greater>),
    row("66 0F 66 /r", "pcmpgtd", rw(Vx), r(Wx), kNoFlags, sse, lanes<i32, vec::greater>),
    row("66 0F DB /r", "pand", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u64, vec::bit_and>),
    row("66 0F DF /r", "pandn", rw(Vx), r(Wx), kNoFlags, sse, lanes<u64, vec::bit_and_not>),
    row("66 0F EB /r", "por", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u64, vec::bit_or>),
    row("66 0F EF /r", "pxor", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u64, vec::bit_xor>),
    row("66 0F 63 /r", "packsswb", rw(Vx), r(Wx), kNoFlags, sse, pack_lanes<i16, i8>),
    row("66 0F 67 /r", "packuswb", rw(Vx), r(Wx), kNoFlags, sse, pack_lanes<i16, u8>),
    row("66 0F 6B /r", "packssdw", rw(Vx), r(Wx), kNoFlags, sse, pack_lanes<i32, i16>),
    row("66 0F 60 /r", "punpcklbw", rw(Vx), r(Wx), kNoFlags, sse, interleave_low<u8>),
    row("66 0F 61 /r", "punpcklwd", rw(Vx), r(Wx), kNoFlags, sse, interleave_low<u16>),
    row("66 0F 62 /r", "punpckldq", rw(Vx), r(Wx), kNoFlags, sse, interleave_low<u32>),
    row("66 0F 68 /r", "punpckhbw", rw(Vx), r(Wx), kNoFlags, sse, interleave_high<u8>),
    row("66 0F 69 /r", "punpckhwd", rw(Vx), r(Wx), kNoFlags, sse, interleave_high<u16>),
    row("66 0F 6A /r", "punpckhdq", rw(Vx), r(Wx), kNoFlags, sse, interleave_high<u32>),
    row("66 0F F1 /r", "psllw", rw(Vx), r(Wx), kNoFlags, sse, shift_left<u16>),
    row("66 0F F2 /r", "pslld", rw(Vx), r(Wx), kNoFlags, sse, shift_left<u32>),
    row("66 0F F3 /r", "psllq", rw(Vx), r(Wx), kNoFlags, sse, shift_left<u64>),
    row("66 0F D1 /r", "psrlw", rw(Vx), r(Wx), kNoFlags, sse, shift_right<u16>),
    row("66 0F D2 /r", "psrld", rw(Vx), r(Wx), kNoFlags, sse, shift_right<u32>),
    row("66 0F D3 /r", "psrlq", rw(Vx), r(Wx), kNoFlags, sse, shift_right<u64>),
    row("66 0F E1 /r", "psraw", rw(Vx), r(Wx), kNoFlags, sse, shift_right<i16>),
    row("66 0F E2 /r", "psrad", rw(Vx), r(Wx), kNoFlags, sse, shift_right<i32>),

    row("66 0F 71 /2 ib", "psrlw", rw(Ux), r(Ib), kNoFlags, sse, shift_right<u16>),
    row("66 0F 71 /4 ib", "psraw", rw(Ux), r(Ib), kNoFlags, sse, shift_right<i16>),
    row("66 0F 71 /6 ib", "psllw", rw(Ux), r(Ib), kNoFlags, sse, shift_left<u16>),
    row("66 0F 72 /2 ib", "psrld", rw(Ux), r(Ib), kNoFlags, sse, shift_right<u32>),
    row("66 0F 72 /4 ib", "psrad", rw(Ux), r(Ib), kNoFlags, sse, shift_right<i32>),
    row("66 0F 72 /6 ib", "pslld", rw(Ux), r(Ib), kNoFlags, sse, shift_left<u32>),
    row("66 0F 73 /2 ib", "psrlq", rw(Ux), r(Ib), kNoFlags, sse, shift_right<u64>),
    row("66 0F 73 /6 ib", "psllq", rw(Ux), r(Ib), kNoFlags, sse, shift_left<u64>),

    row("66 0F 38 00 /r", "pshufb", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3, shuffle_lanes),
    row("66 0F 38 01 /r", "phaddw", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        pairs<u16, vec::add>),
    row("66 0F 38 02 /r", "phaddd", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        pairs<u32, vec::add>),
    row("66 0F 38 03 /r", "phaddsw", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        pairs<i16, vec::add_saturating>),
    row("66 0F 38 04 /r", "pmaddubsw", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        multiply_add_bytes),
    row("66 0F 38 05 /r", "phsubw", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        pairs<u16, vec::sub>),
    row("66 0F 38 06 /r", "phsubd", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        pairs<u32, vec::sub>),
    row("66 0F 38 07 /r", "phsubsw", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        pairs<i16, vec::sub_saturating>),
    row("66 0F 38 08 /r", "psignb", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        lanes<i8, vec::copy_sign>),
    row("66 0F 38 09 /r", "psignw", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        lanes<i16, vec::copy_sign>),
    row("66 0F 38 0A /r", "psignd", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        lanes<i32, vec::copy_sign>),
    row("66 0F 38 0B /r", "pmulhrsw", rw(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        lanes<i16, vec::multiply_high_rounded>),
    row("66 0F 38 1C /r", "pabsb", w(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        lanes_of_one<i8, vec::absolute>),
    row("66 0F 38 1D /r", "pabsw", w(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        lanes_of_one<i16, vec::absolute>),
    row("66 0F 38 1E /r", "pabsd", w(Vx), r(Wx), kNoFlags, sse, Feature::kSsse3,
        lanes_of_one<i32, vec::absolute>),
};

}  // namespace

std::span<const Row> sse_integer_rows() {
  return kRows;
}

}  // namespace kite::tcg
