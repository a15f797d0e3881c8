// SSE moves, shuffles and logic: whatever does not compute. MXCSR plays no part here.
#include "accel/tcg/isa/packed_integer.h"

namespace kite::tcg {
namespace {

// Named like every meaning: a lambda inside the table crashes clang 14.
constexpr auto store_general = [](Cpu&, auto& dst, auto src) { dst = src; };
constexpr auto set_high = [](Cpu&, Vec128& dst, u64 src) { dst.set_lane<u64>(1, src); };
constexpr auto get_high = [](Cpu&, u64& dst, const Vec128& src) { dst = src.lane<u64>(1); };
constexpr auto high_to_low = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst.set_lane<u64>(0, src.lane<u64>(1));
};
constexpr auto low_to_high = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst.set_lane<u64>(1, src.lane<u64>(0));
};
constexpr auto duplicate_low = [](Cpu&, Vec128& dst, u64 src) {
  dst = Vec128::of<u64>({src, src});
};
constexpr auto movsldup = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst = vec::shuffle4<u32>(src, 0b10100000);
};
constexpr auto movshdup = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst = vec::shuffle4<u32>(src, 0b11110101);
};
constexpr auto shuffle_singles = whole_with_control<[](const Vec128& a, const Vec128& b, u8 c) {
  return vec::shuffle_singles(a, b, c);
}>;
constexpr auto shuffle_doubles = whole_with_control<[](const Vec128& a, const Vec128& b, u8 c) {
  return vec::shuffle_doubles(a, b, c);
}>;

constexpr Row kMoves[] = {
    row("NP 0F 28 /r", "movaps", w(Vx), r(Wx), kNoFlags, sse, hot, copy),
    row("NP 0F 29 /r", "movaps", w(Wx), r(Vx), kNoFlags, sse, hot, copy),
    row("66 0F 28 /r", "movapd", w(Vx), r(Wx), kNoFlags, sse, hot, copy),
    row("66 0F 29 /r", "movapd", w(Wx), r(Vx), kNoFlags, sse, hot, copy),
    row("66 0F 6F /r", "movdqa", w(Vx), r(Wx), kNoFlags, sse, hot, copy),
    row("66 0F 7F /r", "movdqa", w(Wx), r(Vx), kNoFlags, sse, hot, copy),
    row("NP 0F 10 /r", "movups", w(Vx), r(Wu), kNoFlags, sse, hot, copy),
    row("NP 0F 11 /r", "movups", w(Wu), r(Vx), kNoFlags, sse, hot, copy),
    row("66 0F 10 /r", "movupd", w(Vx), r(Wu), kNoFlags, sse, hot, copy),
    row("66 0F 11 /r", "movupd", w(Wu), r(Vx), kNoFlags, sse, hot, copy),
    row("F3 0F 6F /r", "movdqu", w(Vx), r(Wu), kNoFlags, sse, hot, copy),
    row("F3 0F 7F /r", "movdqu", w(Wu), r(Vx), kNoFlags, sse, hot, copy),
    row("F2 0F F0 /r", "lddqu", w(Vx), r(Mu), kNoFlags, sse, Feature::kSse3, copy),

    // From memory the rest of the register becomes zero; between registers it stays.
    row("F3 0F 10 /r", "movss", w(Vx), r(Md), kNoFlags, sse, hot, copy),
    row("F3 0F 10 /r", "movss", w(Vd), r(Ud), kNoFlags, sse, hot, copy),
    row("F3 0F 11 /r", "movss", w(Wd), r(Vd), kNoFlags, sse, hot, copy),
    row("F2 0F 10 /r", "movsd", w(Vx), r(Mq), kNoFlags, sse, hot, copy),
    row("F2 0F 10 /r", "movsd", w(Vq), r(Uq), kNoFlags, sse, hot, copy),
    row("F2 0F 11 /r", "movsd", w(Wq), r(Vq), kNoFlags, sse, hot, copy),
    row("F3 0F 7E /r", "movq", w(Vx), r(Wq), kNoFlags, sse, hot, copy),
    row("66 0F D6 /r", "movq", w(Mq), r(Vq), kNoFlags, sse, hot, copy),
    row("66 0F D6 /r", "movq", w(Ux), r(Vq), kNoFlags, sse, copy),

    row("NP 0F 12 /r", "movlps", w(Vq), r(Mq), kNoFlags, sse, copy),
    row("66 0F 12 /r", "movlpd", w(Vq), r(Mq), kNoFlags, sse, copy),
    row("NP 0F 13 /r", "movlps", w(Mq), r(Vq), kNoFlags, sse, copy),
    row("66 0F 13 /r", "movlpd", w(Mq), r(Vq), kNoFlags, sse, copy),
    row("NP 0F 16 /r", "movhps", rw(Vx), r(Mq), kNoFlags, sse, set_high),
    row("66 0F 16 /r", "movhpd", rw(Vx), r(Mq), kNoFlags, sse, set_high),
    row("NP 0F 17 /r", "movhps", w(Mq), r(Vx), kNoFlags, sse, get_high),
    row("66 0F 17 /r", "movhpd", w(Mq), r(Vx), kNoFlags, sse, get_high),
    row("NP 0F 12 /r", "movhlps", rw(Vx), r(Ux), kNoFlags, sse, high_to_low),
    row("NP 0F 16 /r", "movlhps", rw(Vx), r(Ux), kNoFlags, sse, low_to_high),
    row("F2 0F 12 /r", "movddup", w(Vx), r(Wq), kNoFlags, sse, Feature::kSse3, duplicate_low),
    row("F3 0F 12 /r", "movsldup", w(Vx), r(Wx), kNoFlags, sse, Feature::kSse3, movsldup),
    row("F3 0F 16 /r", "movshdup", w(Vx), r(Wx), kNoFlags, sse, Feature::kSse3, movshdup),

    row("NP 0F 2B /r", "movntps", w(Mx), r(Vx), kNoFlags, sse, copy),
    row("66 0F 2B /r", "movntpd", w(Mx), r(Vx), kNoFlags, sse, copy),
    row("66 0F E7 /r", "movntdq", w(Mx), r(Vx), kNoFlags, sse, copy),
    row("NP 0F C3 /r", "movnti", w(My), r(Gy), kNoFlags, store_general),
    row("NP 0F 50 /r", "movmskps", w(Gd), r(Ux), kNoFlags, sse, signs<u32>),
    row("66 0F 50 /r", "movmskpd", w(Gd), r(Ux), kNoFlags, sse, signs<u64>),

    row("NP 0F 14 /r", "unpcklps", rw(Vx), r(Wx), kNoFlags, sse, interleave_low<u32>),
    row("66 0F 14 /r", "unpcklpd", rw(Vx), r(Wx), kNoFlags, sse, interleave_low<u64>),
    row("NP 0F 15 /r", "unpckhps", rw(Vx), r(Wx), kNoFlags, sse, interleave_high<u32>),
    row("66 0F 15 /r", "unpckhpd", rw(Vx), r(Wx), kNoFlags, sse, interleave_high<u64>),
    row("NP 0F C6 /r ib", "shufps", rw(Vx), r(Wx), r(Ib), kNoFlags, sse, shuffle_singles),
    row("66 0F C6 /r ib", "shufpd", rw(Vx), r(Wx), r(Ib), kNoFlags, sse, shuffle_doubles),

    row("NP 0F 54 /r", "andps", rw(Vx), r(Wx), kNoFlags, sse, lanes<u64, vec::bit_and>),
    row("66 0F 54 /r", "andpd", rw(Vx), r(Wx), kNoFlags, sse, lanes<u64, vec::bit_and>),
    row("NP 0F 55 /r", "andnps", rw(Vx), r(Wx), kNoFlags, sse, lanes<u64, vec::bit_and_not>),
    row("66 0F 55 /r", "andnpd", rw(Vx), r(Wx), kNoFlags, sse, lanes<u64, vec::bit_and_not>),
    row("NP 0F 56 /r", "orps", rw(Vx), r(Wx), kNoFlags, sse, lanes<u64, vec::bit_or>),
    row("66 0F 56 /r", "orpd", rw(Vx), r(Wx), kNoFlags, sse, lanes<u64, vec::bit_or>),
    row("NP 0F 57 /r", "xorps", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u64, vec::bit_xor>),
    row("66 0F 57 /r", "xorpd", rw(Vx), r(Wx), kNoFlags, sse, hot, lanes<u64, vec::bit_xor>),

    // Hints: they name a cache line, touch nothing and never fault.
    row("0F 18 /0", "prefetchnta", r(Hint), kNoFlags, no_operation),
    row("0F 18 /1", "prefetcht0", r(Hint), kNoFlags, no_operation),
    row("0F 18 /2", "prefetcht1", r(Hint), kNoFlags, no_operation),
    row("0F 18 /3", "prefetcht2", r(Hint), kNoFlags, no_operation),
    row("0F 18 /4", "nop", r(Hint), kNoFlags, no_operation),
    row("0F 18 /5", "nop", r(Hint), kNoFlags, no_operation),
    row("0F 18 /6", "nop", r(Hint), kNoFlags, no_operation),
    row("0F 18 /7", "nop", r(Hint), kNoFlags, no_operation),
    row("0F 0D /0", "prefetch", r(M), kNoFlags, no_operation),
    row("0F 0D /1", "prefetchw", r(M), kNoFlags, no_operation),
    row("0F 0D /2", "prefetchwt1", r(M), kNoFlags, no_operation),
    row("0F 0D /3", "prefetch", r(M), kNoFlags, no_operation),
    row("0F 0D /4", "prefetch", r(M), kNoFlags, no_operation),
    row("0F 0D /5", "prefetch", r(M), kNoFlags, no_operation),
    row("0F 0D /6", "prefetch", r(M), kNoFlags, no_operation),
    row("0F 0D /7", "prefetch", r(M), kNoFlags, no_operation),
};

}  // namespace

std::span<const Row> sse_move_rows() {
  return kMoves;
}

}  // namespace kite::tcg
