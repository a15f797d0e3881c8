// SSE moves, shuffles and logic: whatever does not compute. MXCSR plays no part here.
#include "accel/tcg/isa/lane_moves.h"

namespace kite::tcg {
namespace {

// Named like every meaning: a lambda inside the table crashes clang 14.
constexpr auto store_general = [](Cpu&, auto& dst, auto src) { dst = src; };
constexpr Row kMoves[] = {
    row("NP 0F 28 /r", "movaps", w(Vdq), r(Wdq), kNoFlags, sse, hot, copy),
    row("NP 0F 29 /r", "movaps", w(Wdq), r(Vdq), kNoFlags, sse, hot, copy),
    row("66 0F 28 /r", "movapd", w(Vdq), r(Wdq), kNoFlags, sse, hot, copy),
    row("66 0F 29 /r", "movapd", w(Wdq), r(Vdq), kNoFlags, sse, hot, copy),
    row("66 0F 6F /r", "movdqa", w(Vdq), r(Wdq), kNoFlags, sse, hot, copy),
    row("66 0F 7F /r", "movdqa", w(Wdq), r(Vdq), kNoFlags, sse, hot, copy),
    row("NP 0F 10 /r", "movups", w(Vdq), r(Wu), kNoFlags, sse, hot, copy),
    row("NP 0F 11 /r", "movups", w(Wu), r(Vdq), kNoFlags, sse, hot, copy),
    row("66 0F 10 /r", "movupd", w(Vdq), r(Wu), kNoFlags, sse, hot, copy),
    row("66 0F 11 /r", "movupd", w(Wu), r(Vdq), kNoFlags, sse, hot, copy),
    row("F3 0F 6F /r", "movdqu", w(Vdq), r(Wu), kNoFlags, sse, hot, copy),
    row("F3 0F 7F /r", "movdqu", w(Wu), r(Vdq), kNoFlags, sse, hot, copy),
    row("F2 0F F0 /r", "lddqu", w(Vdq), r(Mu), kNoFlags, sse, Feature::kSse3, copy),

    // From memory the rest of the register becomes zero; between registers it stays.
    row("F3 0F 10 /r", "movss", w(Vdq), r(Md), kNoFlags, sse, hot, copy),
    row("F3 0F 10 /r", "movss", w(Vd), r(Ud), kNoFlags, sse, hot, copy),
    row("F3 0F 11 /r", "movss", w(Wd), r(Vd), kNoFlags, sse, hot, copy),
    row("F2 0F 10 /r", "movsd", w(Vdq), r(Mq), kNoFlags, sse, hot, copy),
    row("F2 0F 10 /r", "movsd", w(Vq), r(Uq), kNoFlags, sse, hot, copy),
    row("F2 0F 11 /r", "movsd", w(Wq), r(Vq), kNoFlags, sse, hot, copy),
    row("F3 0F 7E /r", "movq", w(Vdq), r(Wq), kNoFlags, sse, hot, copy),
    row("66 0F D6 /r", "movq", w(Mq), r(Vq), kNoFlags, sse, hot, copy),
    row("66 0F D6 /r", "movq", w(Udq), r(Vq), kNoFlags, sse, copy),

    row("NP 0F 12 /r", "movlps", w(Vq), r(Mq), kNoFlags, sse, copy),
    row("66 0F 12 /r", "movlpd", w(Vq), r(Mq), kNoFlags, sse, copy),
    row("NP 0F 13 /r", "movlps", w(Mq), r(Vq), kNoFlags, sse, copy),
    row("66 0F 13 /r", "movlpd", w(Mq), r(Vq), kNoFlags, sse, copy),
    row("NP 0F 16 /r", "movhps", rw(Vdq), r(Mq), kNoFlags, sse, set_high),
    row("66 0F 16 /r", "movhpd", rw(Vdq), r(Mq), kNoFlags, sse, set_high),
    row("NP 0F 17 /r", "movhps", w(Mq), r(Vdq), kNoFlags, sse, get_high),
    row("66 0F 17 /r", "movhpd", w(Mq), r(Vdq), kNoFlags, sse, get_high),
    row("NP 0F 12 /r", "movhlps", rw(Vdq), r(Udq), kNoFlags, sse, high_to_low),
    row("NP 0F 16 /r", "movlhps", rw(Vdq), r(Udq), kNoFlags, sse, low_to_high),
    row("F2 0F 12 /r", "movddup", w(Vdq), r(Wq), kNoFlags, sse, Feature::kSse3, duplicate_low),
    row("F3 0F 12 /r", "movsldup", w(Vdq), r(Wdq), kNoFlags, sse, Feature::kSse3, movsldup),
    row("F3 0F 16 /r", "movshdup", w(Vdq), r(Wdq), kNoFlags, sse, Feature::kSse3, movshdup),

    row("NP 0F 2B /r", "movntps", w(Mdq), r(Vdq), kNoFlags, sse, copy),
    row("66 0F 2B /r", "movntpd", w(Mdq), r(Vdq), kNoFlags, sse, copy),
    row("66 0F E7 /r", "movntdq", w(Mdq), r(Vdq), kNoFlags, sse, copy),
    row("NP 0F C3 /r", "movnti", w(My), r(Gy), kNoFlags, store_general),
    row("NP 0F 50 /r", "movmskps", w(Gd), r(Udq), kNoFlags, sse, signs<u32>),
    row("66 0F 50 /r", "movmskpd", w(Gd), r(Udq), kNoFlags, sse, signs<u64>),

    row("NP 0F 14 /r", "unpcklps", rw(Vdq), r(Wdq), kNoFlags, sse, interleave_low<u32>),
    row("66 0F 14 /r", "unpcklpd", rw(Vdq), r(Wdq), kNoFlags, sse, interleave_low<u64>),
    row("NP 0F 15 /r", "unpckhps", rw(Vdq), r(Wdq), kNoFlags, sse, interleave_high<u32>),
    row("66 0F 15 /r", "unpckhpd", rw(Vdq), r(Wdq), kNoFlags, sse, interleave_high<u64>),
    row("NP 0F C6 /r ib", "shufps", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, shuffle_singles),
    row("66 0F C6 /r ib", "shufpd", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, shuffle_doubles),

    row("NP 0F 54 /r", "andps", rw(Vdq), r(Wdq), kNoFlags, sse, lanes<u64, vec::bit_and>),
    row("66 0F 54 /r", "andpd", rw(Vdq), r(Wdq), kNoFlags, sse, lanes<u64, vec::bit_and>),
    row("NP 0F 55 /r", "andnps", rw(Vdq), r(Wdq), kNoFlags, sse, lanes<u64, vec::bit_and_not>),
    row("66 0F 55 /r", "andnpd", rw(Vdq), r(Wdq), kNoFlags, sse, lanes<u64, vec::bit_and_not>),
    row("NP 0F 56 /r", "orps", rw(Vdq), r(Wdq), kNoFlags, sse, lanes<u64, vec::bit_or>),
    row("66 0F 56 /r", "orpd", rw(Vdq), r(Wdq), kNoFlags, sse, lanes<u64, vec::bit_or>),
    row("NP 0F 57 /r", "xorps", rw(Vdq), r(Wdq), kNoFlags, sse, hot, lanes<u64, vec::bit_xor>),
    row("66 0F 57 /r", "xorpd", rw(Vdq), r(Wdq), kNoFlags, sse, hot, lanes<u64, vec::bit_xor>),

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
