// AES, carry-less multiplication, SHA and Galois fields, legacy-coded.
#include "accel/tcg/isa/crypto.h"

namespace kite::tcg {
namespace {

using namespace crypto;

constexpr Feature kAes = Feature::kAes, kSha = Feature::kSha, kGfni = Feature::kGfni;

constexpr auto sha256rnds2 = [](Cpu&, Vec128& dst, const Vec128& src, const Vec128& words) {
  dst = sha::sha256_two_rounds(dst, src, words);
};

constexpr Row kRows[] = {
    row("66 0F 38 DB /r", "aesimc", w(Vdq), r(Wdq), kNoFlags, sse, kAes, aesimc),
    row("66 0F 38 DC /r", "aesenc", rw(Vdq), r(Wdq), kNoFlags, sse, kAes, aesenc),
    row("66 0F 38 DD /r", "aesenclast", rw(Vdq), r(Wdq), kNoFlags, sse, kAes, aesenclast),
    row("66 0F 38 DE /r", "aesdec", rw(Vdq), r(Wdq), kNoFlags, sse, kAes, aesdec),
    row("66 0F 38 DF /r", "aesdeclast", rw(Vdq), r(Wdq), kNoFlags, sse, kAes, aesdeclast),
    row("66 0F 3A DF /r ib", "aeskeygenassist", w(Vdq), r(Wdq), r(Ib), kNoFlags, sse, kAes,
        aeskeygenassist),
    row("66 0F 3A 44 /r ib", "pclmulqdq", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse,
        Feature::kPclmulqdq, pclmulqdq),

    row("NP 0F 3A CC /r ib", "sha1rnds4", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, kSha,
        whole_with_control<sha::sha1_four_rounds>),
    row("NP 0F 38 C8 /r", "sha1nexte", rw(Vdq), r(Wdq), kNoFlags, sse, kSha,
        whole<sha::sha1_next_e>),
    row("NP 0F 38 C9 /r", "sha1msg1", rw(Vdq), r(Wdq), kNoFlags, sse, kSha,
        whole<sha::sha1_message1>),
    row("NP 0F 38 CA /r", "sha1msg2", rw(Vdq), r(Wdq), kNoFlags, sse, kSha,
        whole<sha::sha1_message2>),
    row("NP 0F 38 CB /r", "sha256rnds2", rw(Vdq), r(Wdq), r(XMM0), kNoFlags, sse, kSha,
        sha256rnds2),
    row("NP 0F 38 CC /r", "sha256msg1", rw(Vdq), r(Wdq), kNoFlags, sse, kSha,
        whole<sha::sha256_message1>),
    row("NP 0F 38 CD /r", "sha256msg2", rw(Vdq), r(Wdq), kNoFlags, sse, kSha,
        whole<sha::sha256_message2>),

    row("66 0F 38 CF /r", "gf2p8mulb", rw(Vdq), r(Wdq), kNoFlags, sse, kGfni, gf2p8mulb),
    row("66 0F 3A CE /r ib", "gf2p8affineqb", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, kGfni,
        gf2p8affineqb),
    row("66 0F 3A CF /r ib", "gf2p8affineinvqb", rw(Vdq), r(Wdq), r(Ib), kNoFlags, sse, kGfni,
        gf2p8affineinvqb),
};

}  // namespace

std::span<const Row> crypto_rows() {
  return kRows;
}

}  // namespace kite::tcg
