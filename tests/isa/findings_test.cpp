// What random cases on silicon have found, one test each, on every host.
#include <gtest/gtest.h>

#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/oracle/interpreter.h"

namespace kite::oracle {
namespace {

class Findings : public ::testing::Test {
 protected:
  Findings() {
    fill_pool(pool_, 1);
    Image& image = pool_.images[0];
    store<u16>(image.bytes.data(), 0x37f);
    store<u16>(image.bytes.data() + 2, 0);
    image.bytes[4] = 0xff;
    test_.rip = kCodeBase;
    test_.vectors = true;
  }

  Image& before() { return pool_.images[0]; }
  u64& gpr(unsigned i) { return test_.gpr[i]; }
  void set_st(unsigned i, u16 sign_exponent, u64 significand) {
    store<u64>(&before().bytes[Image::kSt + 16 * i], significand);
    store<u16>(&before().bytes[Image::kSt + 16 * i + 8], sign_exponent);
  }
  u16 fsw() const { return load<u16>(&after_.image.bytes[2]); }

  const Outcome& run(std::initializer_list<u8> bytes) {
    std::array<u8, 16> padded = {};
    std::copy(bytes.begin(), bytes.end(), padded.begin());
    tcg::Insn insn{};
    EXPECT_EQ(interpreter_.decoder().decode(padded, user_mode(), insn), tcg::DecodeStatus::kOk);
    test_.code = padded;
    test_.length = insn.length;
    interpreter_.begin(pool_, {&test_, 1});
    interpreter_.run(test_, insn, after_);
    return after_;
  }

  Interpreter interpreter_;
  Pool pool_;
  Case test_;
  Outcome after_;
};

constexpr u64 kNotCanonical = 0x8765432112345678;

TEST_F(Findings, ClflushThroughTheStackSegmentRaisesStackFault) {
  gpr(kRbp) = kNotCanonical;
  EXPECT_EQ(run({0x0f, 0xae, 0x7d, 0x00}).vector, kStackFault);  // clflush [rbp]
}

TEST_F(Findings, ScasThatFaultsLeavesTheFlags) {
  gpr(kRcx) = 1000;
  gpr(kRdi) = kDataBase + 64;
  gpr(kRax) = 0x0123456789abcdef;  // found nowhere
  test_.rflags = rflags::kFixed | rflags::kDf | rflags::kZf | rflags::kCf;
  const Outcome& after = run({0xf2, 0x48, 0xaf});  // repne scasq, downwards
  EXPECT_EQ(after.vector, kPageFault);
  EXPECT_EQ(after.rflags & rflags::kArithmetic, rflags::kZf | rflags::kCf);
  EXPECT_EQ(after.gpr[kRcx], 991u);
}

TEST_F(Findings, RepetitionWithNarrowAddressesClearsUpperHalves) {
  gpr(kRcx) = 0x100000000;
  gpr(kRsi) = gpr(kRdi) = 0x700000000 | kDataBase;
  const Outcome& moved = run({0x67, 0xf3, 0xa4});  // rep movsb of nothing
  EXPECT_EQ(moved.gpr[kRcx], 0u);
  EXPECT_EQ(moved.gpr[kRsi], kDataBase);
  EXPECT_EQ(moved.gpr[kRdi], kDataBase);
  const Outcome& compared = run({0x67, 0xf3, 0xa6});  // repe cmpsb
  EXPECT_EQ(compared.gpr[kRcx], 0u);
  EXPECT_EQ(compared.gpr[kRsi], 0x700000000 | kDataBase);
}

TEST_F(Findings, PendingX87ExceptionComesBeforeTheOperandsFault) {
  store<u16>(before().bytes.data(), 0x37e);
  store<u16>(before().bytes.data() + 2, 0x8081);
  gpr(kRbx) = kNotCanonical;
  EXPECT_EQ(run({0xd8, 0x03}).vector, kX87FloatingPoint);  // fadd dword [rbx]
}

TEST_F(Findings, ComparisonSetsItsCodesWhereTheExceptionIsNotMasked) {
  store<u16>(before().bytes.data(), 0x37e);
  set_st(0, 0x7fff, 0xc000000000000001);
  run({0xd8, 0xd9});  // fcomp st1: a NaN
  EXPECT_EQ(fsw() & 0x4500, 0x4500);
  EXPECT_EQ(fsw() >> 11 & 7, 0) << "popped";
  const Outcome& after = run({0xdf, 0xf1});  // fcomip st0, st1
  EXPECT_EQ(after.rflags & rflags::kArithmetic, rflags::kZf | rflags::kPf | rflags::kCf);
}

TEST_F(Findings, StoreThatUnderflowsUnmaskedTellsNoLossOfPrecision) {
  store<u16>(before().bytes.data(), 0x36f);
  set_st(0, 1, 0xffffffffffffffff);
  gpr(kRbx) = kDataBase;
  const Outcome& after = run({0xd9, 0x1b});  // fstp dword [rbx]
  EXPECT_EQ(after.change_count, 0u);
  EXPECT_EQ(fsw(), 0x8090);
}

TEST_F(Findings, RipRelativeOperandMayLieTwoGigabytesAhead) {
  const Outcome& after =
      run({0x48, 0x8d, 0x05, 0xff, 0xff, 0xff, 0x7f});  // lea rax, [rip+7FFFFFFFh]
  EXPECT_EQ(after.gpr[kRax], kCodeBase + 7 + 0x7fffffff);
  EXPECT_EQ(run({0xf6, 0x05, 0xff, 0xff, 0xff, 0x7f, 1}).cr2, kCodeBase + 7 + 0x7fffffff);
}

TEST_F(Findings, GatherThatFaultsClearsTheUpperHalfOfItsMask) {
  std::fill_n(&before().bytes[Image::kXmm + 16 * 2], 16, u8{0xff});  // the index: -1 …
  std::fill_n(&before().bytes[Image::kXmm + 16 * 1], 16, u8{0xff});  // the mask
  gpr(kRbx) = kDataBase;  // so that the first lane lies before the page
  const Outcome& after =
      run({0xc4, 0xe2, 0x71, 0x92, 0x04, 0x13});  // vgatherdps xmm0, [rbx+xmm2], xmm1
  EXPECT_EQ(after.vector, kPageFault);
  EXPECT_EQ(load<u64>(&after.image.bytes[Image::kXmm + 16 * 1]), ~u64{0});
  EXPECT_EQ(load<u64>(&after.image.bytes[Image::kYmm + 16 * 1]), 0u);
  EXPECT_EQ(std::memcmp(&after.image.bytes[Image::kYmm], &before().bytes[Image::kYmm], 16), 0)
      << "no lane has been gathered";
}

}  // namespace
}  // namespace kite::oracle
