// What translators and interpreters get wrong: one test for each kind that a program at level 3 can
// see. docs/correctness.md names where the others are tested.
#include "tests/isa/one_case.h"

namespace kite::oracle {
namespace {

class HardCases : public OneCase {
 protected:
  // A write to the page that may only be read, by the first byte of it.
  void expect_write_fault(const Outcome& after) {
    EXPECT_EQ(after.vector, kPageFault);
    EXPECT_EQ(after.error_code, 7u);
    EXPECT_EQ(after.cr2, kReadOnlyBase);
    EXPECT_EQ(after.rip, kCodeBase);
    EXPECT_EQ(after.gpr, test_.gpr);
  }
};

TEST_F(HardCases, AStoreThatCrossesIntoAPageThatFaultsStoresNothing) {
  gpr(kRbx) = kReadOnlyBase - 4;
  const Outcome& after = run({0x48, 0x83, 0x03, 0x01});  // add qword [rbx], 1
  expect_write_fault(after);
  EXPECT_EQ(after.change_count, 0u);
}

TEST_F(HardCases, APushThatCrossesIntoAPageThatFaultsLeavesRsp) {
  gpr(kRsp) = kReadOnlyBase + 4;
  const Outcome& after = run({0x50});
  expect_write_fault(after);
  EXPECT_EQ(after.change_count, 0u);
}

TEST_F(HardCases, ACallWhosePushFaultsDoesNotGo) {
  gpr(kRsp) = kReadOnlyBase + 4;
  const Outcome& after = run({0xe8, 0x10, 0, 0, 0});
  expect_write_fault(after);
  EXPECT_EQ(after.change_count, 0u);
}

TEST_F(HardCases, AnEnterThatFaultsHalfWayLeavesRspAndRbp) {
  gpr(kRsp) = kLastBase + 8;
  gpr(kRbp) = kDataBase + 256;
  const Outcome& after = run({0xc8, 0x10, 0, 2});  // enter 16, 2: the second push faults
  EXPECT_EQ(after.vector, kPageFault);
  EXPECT_EQ(after.cr2, kLastBase - 8);
  EXPECT_EQ(after.gpr, test_.gpr);
}

TEST_F(HardCases, Cmpxchg16bThatFindsAnotherValueFaultsWhereItMayNotWrite) {
  gpr(kRsi) = kReadOnlyBase;
  gpr(kRax) = ~load<u64>(pool_.page.data());
  expect_write_fault(run({0x48, 0x0f, 0xc7, 0x0e}));
  gpr(kRsi) = kDataBase + 8;
  EXPECT_EQ(run({0x48, 0x0f, 0xc7, 0x0e}).vector, kGeneralProtection);  // not aligned
}

TEST_F(HardCases, ARepetitionThatFaultsStandsAtTheElement) {
  gpr(kRcx) = 16;
  gpr(kRsi) = kDataBase;
  gpr(kRdi) = kReadOnlyBase - 10;
  const Outcome& after = run({0xf3, 0xa4});  // rep movsb
  EXPECT_EQ(after.vector, kPageFault);
  EXPECT_EQ(after.cr2, kReadOnlyBase);
  EXPECT_EQ(after.gpr[kRcx], 6u);
  EXPECT_EQ(after.gpr[kRsi], kDataBase + 10);
  EXPECT_EQ(after.gpr[kRdi], kReadOnlyBase);
}

TEST_F(HardCases, ARepetitionOfZeroTouchesNothingAndOfOneStopsThere) {
  gpr(kRsi) = gpr(kRdi) = 0x8765432112345678;  // not canonical
  test_.rflags = rflags::kFixed | rflags::kZf;
  const Outcome& none = run({0xf2, 0xa6});  // repne cmpsb
  EXPECT_EQ(none.vector, Outcome::kWentOn);
  EXPECT_EQ(none.gpr, test_.gpr);
  EXPECT_EQ(none.rflags & rflags::kArithmetic, rflags::kZf);
  gpr(kRcx) = 1;
  gpr(kRsi) = kLastBase + kPageSize - 1;  // the last byte that there is
  gpr(kRdi) = kDataBase;
  const Outcome& one = run({0xf3, 0xa4});
  EXPECT_EQ(one.vector, Outcome::kWentOn);
  EXPECT_EQ(one.gpr[kRcx], 0u);
}

TEST_F(HardCases, AShiftByZeroKeepsTheFlagsAndTheCountIsCutToItsBits) {
  test_.rflags = rflags::kFixed | rflags::kArithmetic;
  gpr(kRax) = 0x81;
  for (u64 count : {0u, 32u, 64u}) {
    gpr(kRcx) = count;
    const Outcome& after = run({0xd3, 0xe0});  // shl eax, cl
    EXPECT_EQ(after.rflags & rflags::kArithmetic, rflags::kArithmetic) << count;
    EXPECT_EQ(after.gpr[kRax], 0x81u);
  }
}

TEST_F(HardCases, ShiftsByOneAndByTheWidthAndByMore) {
  gpr(kRax) = 0x81;
  const u64 one = run({0xd0, 0xe0}).rflags;  // shl al, 1
  EXPECT_EQ(one & (rflags::kCf | rflags::kOf), rflags::kCf | rflags::kOf);
  EXPECT_EQ(run({0xc0, 0xe0, 8}).rflags & rflags::kCf, rflags::kCf);  // the bit that leaves last
  EXPECT_EQ(run({0xc0, 0xe0, 9}).gpr[kRax], 0u);
  EXPECT_EQ(run({0xc0, 0xf8, 31}).gpr[kRax], 0xffu);  // sar al, 31
  EXPECT_EQ(run({0xc0, 0xd0, 9}).gpr[kRax], 0x81u);   // rcl al, 9: once around, with CF
  EXPECT_EQ(run({0xc0, 0xc0, 9}).gpr[kRax], 0x03u);   // rol al, 9
}

TEST_F(HardCases, AnX87StackThatIsFullOrEmptyTellsWhichInC1) {
  constexpr u16 kInvalidAndStack = 0x41, kC1 = 0x200;
  const Outcome& full = run({0xd9, 0xe8});  // fld1
  EXPECT_EQ(fsw() & (kInvalidAndStack | kC1), kInvalidAndStack | kC1);
  EXPECT_EQ(load<u64>(&full.image.bytes[Image::kSt]), 0xc000000000000000u);  // the indefinite
  before().bytes[4] = 0;
  run({0xdd, 0xd9});  // fstp st1
  EXPECT_EQ(fsw() & (kInvalidAndStack | kC1), kInvalidAndStack);
}

TEST_F(HardCases, AnX87InstructionLeavesItsAddressAndItsOperands) {
  gpr(kRbx) = kDataBase + 256;
  const Outcome& memory = run({0xd8, 0x03});  // fadd dword [rbx]
  EXPECT_EQ(load<u64>(&memory.image.bytes[Image::kFip]), kCodeBase);
  EXPECT_EQ(load<u64>(&memory.image.bytes[Image::kFdp]), kDataBase + 256);
  const u64 before_it = load<u64>(&before().bytes[Image::kFip]);
  const Outcome& control = run({0xd9, 0x3b});  // fnstcw [rbx] is none of those
  EXPECT_EQ(load<u64>(&control.image.bytes[Image::kFip]), before_it);
}

TEST_F(HardCases, AddressesOf32BitsWrap) {
  gpr(kRbx) = 0xaaaaaaaafffffff0;
  const u64 word = load<u64>(&pool_.page[0x100]);
  // mov rax, [ebx+20100110h]
  EXPECT_EQ(run({0x67, 0x48, 0x8b, 0x83, 0x10, 0x01, 0x10, 0x20}).gpr[kRax], word);
  // Without 67h the same is far away.
  EXPECT_EQ(run({0x48, 0x8b, 0x83, 0x10, 0x01, 0x10, 0x20}).vector, kGeneralProtection);
}

TEST_F(HardCases, OnlyAPrefixRexDirectlyBeforeTheOpcodeCounts) {
  gpr(kRax) = ~u64{0};
  EXPECT_EQ(run({0x48, 0x66, 0xb8, 0x34, 0x12}).gpr[kRax], 0xffffffffffff1234u);
  EXPECT_EQ(test_.length, 5u);
  EXPECT_EQ(run({0x66, 0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0}).gpr[kRax], 1u);  // W beats 66h
  EXPECT_EQ(test_.length, 11u);
  gpr(kRbx) = 0xbbbbbbbb00000000 | kDataBase;
  const u64 first = run({0x66, 0x67, 0x48, 0x8b, 0x03}).gpr[kRax];
  EXPECT_EQ(first, load<u64>(pool_.page.data()));
  EXPECT_EQ(run({0x67, 0x66, 0x48, 0x8b, 0x03}).gpr[kRax], first);
}

TEST_F(HardCases, LockBelongsToReadingAndWritingMemory) {
  gpr(kRbx) = kDataBase;
  EXPECT_EQ(run({0xf0, 0x01, 0x03}).vector, Outcome::kWentOn);        // add [rbx], eax
  EXPECT_EQ(run({0xf0, 0x01, 0xc3}).vector, kInvalidOpcode);          // add ebx, eax
  EXPECT_EQ(run({0xf0, 0x03, 0x03}).vector, kInvalidOpcode);          // add eax, [rbx]
  EXPECT_EQ(run({0xf0, 0x39, 0x03}).vector, kInvalidOpcode);          // cmp [rbx], eax
  EXPECT_EQ(run({0xf0, 0x89, 0x03}).vector, kInvalidOpcode);          // mov [rbx], eax
  EXPECT_EQ(run({0xf0, 0x0f, 0xa3, 0x03}).vector, kInvalidOpcode);    // bt [rbx], eax
  EXPECT_EQ(run({0xf0, 0xff, 0x33}).vector, kInvalidOpcode);          // push [rbx]
  EXPECT_EQ(run({0xf0, 0x0f, 0xc7, 0x0b}).vector, Outcome::kWentOn);  // cmpxchg8b [rbx]
}

}  // namespace
}  // namespace kite::oracle
