// SSE4.1 and SSE4.2 but for the string comparisons.
#include "accel/tcg/isa/lane_moves.h"
#include "accel/tcg/isa/simd_float.h"

namespace kite::tcg {
namespace {

constexpr Feature kSse41 = Feature::kSse41, kSse42 = Feature::kSse42;

template <class From, class To>
constexpr auto widen = [](Cpu&, Vec128& dst, auto src) {
  Vec128 low;
  if constexpr (std::integral<decltype(src)>)
    low.set_lane<decltype(src)>(0, src);
  else
    low = src;
  dst = vec::widen<From, To>(low);
};
constexpr auto multiple_sums = whole_with_control<[](const Vec128& a, const Vec128& b, u8 c) {
  return vec::multiple_sums_of_differences(a, b, c);
}>;

// CRC32 accumulates the Castagnoli polynomial, bits reflected (SDM 2A CRC32).
template <class T>
u32 crc32c(u32 crc, T value) {
  constexpr u32 kPolynomial = 0x82f63b78;
  static constexpr auto kTable = [] {
    std::array<u32, 256> table{};
    for (u32 i = 0; i < 256; ++i) {
      u32 r = i;
      for (int k = 0; k < 8; ++k) r = r & 1 ? r >> 1 ^ kPolynomial : r >> 1;
      table[i] = r;
    }
    return table;
  }();
  for (unsigned i = 0; i < sizeof(T); ++i) {
    crc = crc >> 8 ^ kTable[(crc ^ static_cast<u32>(value)) & 0xff];
    if constexpr (sizeof(T) > 1) value >>= 8;
  }
  return crc;
}
constexpr auto crc32 = [](Cpu&, auto& dst, auto src) { dst = crc32c(static_cast<u32>(dst), src); };

constexpr Row kRows[] = {
    row("66 0F 38 20 /r", "pmovsxbw", w(Vdq), r(Wq), kNoFlags, sse, kSse41, widen<i8, i16>),
    row("66 0F 38 21 /r", "pmovsxbd", w(Vdq), r(Wd), kNoFlags, sse, kSse41, widen<i8, i32>),
    row("66 0F 38 22 /r", "pmovsxbq", w(Vdq), r(Ww), kNoFlags, sse, kSse41, widen<i8, i64>),
    row("66 0F 38 23 /r", "pmovsxwd", w(Vdq), r(Wq), kNoFlags, sse, kSse41, widen<i16, i32>),
    row("66 0F 38 24 /r", "pmovsxwq", w(Vdq), r(Wd), kNoFlags, sse, kSse41, widen<i16, i64>),
    row("66 0F 38 25 /r", "pmovsxdq", w(Vdq), r(Wq), kNoFlags, sse, kSse41, widen<i32, i64>),
    row("66 0F 38 30 /r", "pmovzxbw", w(Vdq), r(Wq), kNoFlags, sse, kSse41, widen<u8, u16>),
    row("66 0F 38 31 /r", "pmovzxbd", w(Vdq), r(Wd), kNoFlags, sse, kSse41, widen<u8, u32>),
    row("66 0F 38 32 /r", "pmovzxbq", w(Vdq), r(Ww), kNoFlags, sse, kSse41, widen<u8, u64>),
    row("66 0F 38 33 /r", "pmovzxwd", w(Vdq), r(Wq), kNoFlags, sse, kSse41, widen<u16, u32>),
    row("66 0F 38 34 /r", "pmovzxwq", w(Vdq), r(Wd), kNoFlags, sse, kSse41, widen<u16, u64>),
    row("66 0F 38 35 /r", "pmovzxdq", w(Vdq), r(Wq), kNoFlags, sse, kSse41, widen<u32, u64>),

    row("66 0F 38 28 /r", "pmuldq", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41, multiply_even<i32>),
    row("66 0F 38 29 /r", "pcmpeqq", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<u64, vec::equal>),
    row("66 0F 38 2A /r", "movntdqa", w(Vdq), r(Mdq), kNoFlags, sse, kSse41, copy),
    row("66 0F 38 2B /r", "packusdw", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41, pack_lanes<i32, u16>),
    row("66 0F 38 37 /r", "pcmpgtq", rw(Vdq), r(Wdq), kNoFlags, sse, kSse42,
        lanes<i64, vec::greater>),
    row("66 0F 38 38 /r", "pminsb", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<i8, vec::minimum>),
    row("66 0F 38 39 /r", "pminsd", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<i32, vec::minimum>),
    row("66 0F 38 3A /r", "pminuw", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<u16, vec::minimum>),
    row("66 0F 38 3B /r", "pminud", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<u32, vec::minimum>),
    row("66 0F 38 3C /r", "pmaxsb", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<i8, vec::maximum>),
    row("66 0F 38 3D /r", "pmaxsd", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<i32, vec::maximum>),
    row("66 0F 38 3E /r", "pmaxuw", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<u16, vec::maximum>),
    row("66 0F 38 3F /r", "pmaxud", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<u32, vec::maximum>),
    row("66 0F 38 40 /r", "pmulld", rw(Vdq), r(Wdq), kNoFlags, sse, kSse41,
        lanes<u32, vec::multiply_low>),
    row("66 0F 38 41 /r", "phminposuw", w(Vdq), r(Wdq), kNoFlags, sse, kSse41, minimum_position),
    row("66 0F 3A 42 /r ib", "mpsadbw", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, kSse41,
        multiple_sums),
    row("66 0F 38 17 /r", "ptest", r(Vdq), r(Wdq), "00M00M", sse, kSse41, test_bits<u64>),

    row("66 0F 38 10 /r", "pblendvb", rw(Vdq), r(Wdq), r(XMM0), kNoFlags, sse, kSse41,
        blend_by_sign<u8>),
    row("66 0F 38 14 /r", "blendvps", rw(Vdq), r(Wdq), r(XMM0), kNoFlags, sse, kSse41,
        blend_by_sign<u32>),
    row("66 0F 38 15 /r", "blendvpd", rw(Vdq), r(Wdq), r(XMM0), kNoFlags, sse, kSse41,
        blend_by_sign<u64>),
    row("66 0F 3A 0C /r ib", "blendps", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, kSse41, blend<u32>),
    row("66 0F 3A 0D /r ib", "blendpd", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, kSse41, blend<u64>),
    row("66 0F 3A 0E /r ib", "pblendw", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, kSse41, blend<u16>),

    row("66 0F 3A 14 /r ib", "pextrb", w(Mb), r(Vdq), r(Ib), kNoFlags, sse, kSse41,
        extract_lane<u8>),
    row("66 0F 3A 14 /r ib", "pextrb", w(Rd), r(Vdq), r(Ib), kNoFlags, sse, kSse41,
        extract_lane<u8>),
    row("66 0F 3A 15 /r ib", "pextrw", w(Mw), r(Vdq), r(Ib), kNoFlags, sse, kSse41,
        extract_lane<u16>),
    row("66 0F 3A 15 /r ib", "pextrw", w(Rd), r(Vdq), r(Ib), kNoFlags, sse, kSse41,
        extract_lane<u16>),
    row("66 REX.W0 0F 3A 16 /r ib", "pextrd", w(Ed), r(Vdq), r(Ib), kNoFlags, sse, kSse41,
        extract_lane<u32>),
    row("66 REX.W 0F 3A 16 /r ib", "pextrq", w(Eq), r(Vdq), r(Ib), kNoFlags, sse, kSse41,
        extract_lane<u64>),
    row("66 0F 3A 17 /r ib", "extractps", w(Ed), r(Vdq), r(Ib), kNoFlags, sse, kSse41,
        extract_lane<u32>),
    row("66 0F 3A 20 /r ib", "pinsrb", rw(Vdq), r(Mb), r(Ib), kNoFlags, sse, kSse41,
        insert_lane<u8>),
    row("66 0F 3A 20 /r ib", "pinsrb", rw(Vdq), r(Rd), r(Ib), kNoFlags, sse, kSse41,
        insert_lane<u8>),
    row("66 REX.W0 0F 3A 22 /r ib", "pinsrd", rw(Vdq), r(Ed), r(Ib), kNoFlags, sse, kSse41,
        insert_lane<u32>),
    row("66 REX.W 0F 3A 22 /r ib", "pinsrq", rw(Vdq), r(Eq), r(Ib), kNoFlags, sse, kSse41,
        insert_lane<u64>),
    row("66 0F 3A 21 /r ib", "insertps", rw(Vdq), r(Udq), r(Ib), kNoFlags, sse, kSse41,
        insert_single),
    row("66 0F 3A 21 /r ib", "insertps", rw(Vdq), r(Md), r(Ib), kNoFlags, sse, kSse41,
        insert_single_memory),

    row("66 0F 3A 08 /r ib", "roundps", w(Vdq), r(Wdq), r(Ib), kNoFlags, sse, mxcsr, kSse41,
        round_packed<u32>),
    row("66 0F 3A 09 /r ib", "roundpd", w(Vdq), r(Wdq), r(Ib), kNoFlags, sse, mxcsr, kSse41,
        round_packed<u64>),
    row("66 0F 3A 0A /r ib", "roundss", w(Vd), r(Wd), r(Ib), kNoFlags, sse, mxcsr, kSse41,
        round_scalar),
    row("66 0F 3A 0B /r ib", "roundsd", w(Vq), r(Wq), r(Ib), kNoFlags, sse, mxcsr, kSse41,
        round_scalar),
    row("66 0F 3A 40 /r ib", "dpps", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, mxcsr, kSse41,
        dot_product<u32>),
    row("66 0F 3A 41 /r ib", "dppd", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, mxcsr, kSse41,
        dot_product<u64>),

    row("F2 0F 38 F0 /r", "crc32", rw(Gy), r(Eb), kNoFlags, kSse42, crc32),
    row("F2 0F 38 F1 /r", "crc32", rw(Gy), r(Ev), kNoFlags, kSse42, crc32),
};

}  // namespace

std::span<const Row> sse4_rows() {
  return kRows;
}

}  // namespace kite::tcg
