// What random cases on silicon have found, one test each, on every host.
#include "tests/isa/one_case.h"

namespace kite::oracle {
namespace {

class Findings : public OneCase {};

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
  EXPECT_EQ(run({0xd9, 0x23}).vector, kX87FloatingPoint);  // fldenv [rbx]
  EXPECT_EQ(run({0xdd, 0x23}).vector, kX87FloatingPoint);  // frstor [rbx]
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

TEST_F(Findings, DenormalByInfinityDoesNotUnderflow) {
  store<u16>(before().bytes.data(), 0x36f);
  set_st(0, 0, 0x123456789);
  set_st(1, 0x7fff, bit(63));
  for (u8 opcode : {0xf5, 0xf8}) {  // fprem1, fprem
    const Outcome& after = run({0xd9, opcode});
    EXPECT_EQ(fsw() & 0xbf, 2) << "a denormal operand, and nothing else";
    EXPECT_EQ(load<u64>(&after.image.bytes[Image::kSt]), 0x123456789u);
    EXPECT_EQ(load<u16>(&after.image.bytes[Image::kSt + 8]), 0u);
  }
}

TEST_F(Findings, LarAndLslThatRefuseLeaveAllOfTheRegister) {
  gpr(kRax) = 0x123456789abcdef0;
  gpr(kRbx) = 0x10;                                                   // the kernel's
  EXPECT_EQ(run({0x0f, 0x02, 0xc3}).gpr[kRax], 0x123456789abcdef0u);  // lar eax, ebx
  EXPECT_EQ(run({0x0f, 0x03, 0xc3}).gpr[kRax], 0x123456789abcdef0u);  // lsl eax, ebx
  gpr(kRbx) = 0x2b;
  EXPECT_EQ(run({0x0f, 0x02, 0xc3}).gpr[kRax], 0xcff300u);
  EXPECT_EQ(run({0x0f, 0x03, 0xc3}).gpr[kRax], 0xffffffffu);
}

TEST_F(Findings, RexRIsNoPartOfASegmentsNumber) {
  test_.segments = true;
  gpr(kRbx) = 3;
  const Outcome& loaded = run({0x44, 0x8e, 0xdb});  // mov ds, ebx
  EXPECT_EQ(loaded.vector, Outcome::kWentOn);
  EXPECT_EQ(loaded.selectors.values[1], 3u);
  EXPECT_EQ(run({0x44, 0x8c, 0xd3}).gpr[kRbx], 0x2bu);  // mov ebx, ss
}

TEST_F(Findings, Fxrstor64MakesFipCanonicalButNotFdp) {
  gpr(kRbx) = kDataBase + kStateArea;
  store<u64>(&pool_.page[kStateArea + Image::kFip], 0x1334800000000000);
  store<u64>(&pool_.page[kStateArea + Image::kFdp], 0x80347fffffffffff);
  store<u32>(&pool_.page[kStateArea + Image::kMxcsr], 0x1f80);
  const Outcome& after = run({0x48, 0x0f, 0xae, 0x0b});
  ASSERT_EQ(after.vector, Outcome::kWentOn);
  EXPECT_EQ(load<u64>(&after.image.bytes[Image::kFip]),
            0xff34800000000000u);  // the model has addresses of 57 bits
  EXPECT_EQ(load<u64>(&after.image.bytes[Image::kFdp]), 0x80347fffffffffffu);
}

TEST_F(Findings, StateThroughTheStackSegmentRaisesStackFault) {
  gpr(kRbp) = kNotCanonical + 1;                           // before it is found not to be aligned
  EXPECT_EQ(run({0xd9, 0x65, 0x00}).vector, kStackFault);  // fldenv [rbp]
  EXPECT_EQ(run({0x0f, 0xae, 0x45, 0x00}).vector, kStackFault);  // fxsave [rbp]
  EXPECT_EQ(run({0x0f, 0xae, 0x6d, 0x00}).vector, kStackFault);  // xrstor [rbp]
}

TEST_F(Findings, LoadingCsIsUndefinedBeforeTheOperandFaults) {
  gpr(kRbx) = kNotCanonical;
  EXPECT_EQ(run({0x8e, 0x0b}).vector, kInvalidOpcode);  // mov cs, [rbx]
  EXPECT_EQ(run({0x8e, 0x1b}).vector, kGeneralProtection);
}

TEST_F(Findings, BytesAndWordsOfVectorsIgnoreVexW) {
  gpr(kRbx) = 0x1234567890abcdef;
  const u8* xmm1 = &before().bytes[Image::kXmm + 16];
  EXPECT_EQ(run({0xc4, 0xe3, 0xf9, 0x14, 0xcb, 3}).gpr[kRbx], xmm1[3]);              // vpextrb
  EXPECT_EQ(run({0xc4, 0xe3, 0xf9, 0x15, 0xcb, 3}).gpr[kRbx], load<u16>(xmm1 + 6));  // vpextrw
  EXPECT_EQ(run({0xc4, 0xe1, 0xf9, 0xc5, 0xd9, 3}).gpr[kRbx], load<u16>(xmm1 + 6));
  const u8* xmm0 = &run({0xc4, 0xe3, 0xf1, 0x20, 0xc3, 3}).image.bytes[Image::kXmm];  // vpinsrb
  EXPECT_EQ(xmm0[3], 0xef);
  xmm0 = &run({0xc4, 0xe1, 0xf1, 0xc4, 0xc3, 3}).image.bytes[Image::kXmm];  // vpinsrw
  EXPECT_EQ(load<u16>(xmm0 + 6), 0xcdefu);
}

TEST_F(Findings, WrfsbaseTakesAddressesOfThePagingInUse) {
  gpr(kRbx) = 0x2000000000000;  // of 57 bits, which the model has, but four levels have not
  EXPECT_EQ(run({0xf3, 0x48, 0x0f, 0xae, 0xd3}).vector, kGeneralProtection);
}

}  // namespace
}  // namespace kite::oracle
