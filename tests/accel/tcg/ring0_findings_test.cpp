// What comparing with KVM's ring-0 guests (tests/isa/ring0) has taught, one test each.
#include "tests/accel/tcg/modes.h"

namespace kite {
namespace {

class TcgRing0Findings : public ModesTest {
 protected:
  void enter_real_mode() {
    state_.cr0 = cr0::kEt;
    state_.segments.fill({.selector = 0, .limit = 0xffff});
    state_.idtr = {0, 0x3ff};
    put16(13 * 4, kOther);
    put8(kOther, kHlt);
  }
};

TEST_F(TcgRing0Findings, IretInRealModeKeepsVifAndVip) {
  enter_real_mode();
  state_.gpr[kRsp] = 0x8000;
  put32(0x8000, kCode + 0x100);
  put32(0x8004, 0);
  put32(0x8008, 2 | rflags::kVif | rflags::kVip | rflags::kAc);
  put8(kCode + 0x100, kHlt);
  const X86State after = run({0x66, 0xcf});
  EXPECT_EQ(after.rip, kCode + 0x101);
  EXPECT_EQ(after.rflags, 2 | rflags::kAc);
}

TEST_F(TcgRing0Findings, InvlpgDoesNotLookAtItsSegment) {
  state_.gpr[kRbx] = kData;
  state_.segments[kDs] = {.selector = 0, .limit = 0, .unusable = true};
  EXPECT_EQ(run({0x0f, 0x01, 0x3b}).rip, kCode + 4);  // INVLPG [EBX]
  state_.segments[kDs] = flat(kData0, 3, 0);
  state_.segments[kDs].limit = 0xf;
  EXPECT_EQ(run({0x0f, 0x01, 0x3b}).rip, kCode + 4);
  EXPECT_EQ(vector_of(run({0x8b, 0x03})), kGeneralProtection);  // a load does
}

TEST_F(TcgRing0Findings, TscAuxHas32Bits) {
  state_.gpr[kRcx] = 0xc0000103;
  state_.gpr[kRax] = 0x12345678;
  state_.gpr[kRdx] = 0x9abcdef0;
  const X86State after = run({0x0f, 0x30, 0x0f, 0x32});  // WRMSR, RDMSR
  EXPECT_EQ(after.rip, kCode + 5);
  EXPECT_EQ(after.gpr[kRax], 0x12345678u);
  EXPECT_EQ(after.gpr[kRdx], 0u);
  EXPECT_EQ(after.tsc_aux, 0x12345678u);
}

TEST_F(TcgRing0Findings, LssHoldsOffNoTrap) {
  put32(kData, kStack);
  put16(kData + 4, kData0);
  state_.gpr[kRbx] = kData;
  state_.rflags |= rflags::kTf;
  const X86State after = run({0x0f, 0xb2, 0x23, 0x90, 0x90});  // LSS ESP, [EBX]
  EXPECT_EQ(vector_of(after), kDebugException);
  EXPECT_EQ(word(after, 0), kCode + 3);
}

TEST_F(TcgRing0Findings, PopSsCountsOnTheStackItWasOn) {
  put64(kGdt + kFree, 0x000093000000ffff);  // a 16-bit stack
  put32(0xfffc, kFree);
  state_.gpr[kRsp] = 0xfffc;
  X86State after = run({0x17});
  EXPECT_EQ(after.segments[kSs].selector, kFree);
  EXPECT_EQ(after.gpr[kRsp], 0x10000u);
  put32(0xfffc, kCode0);  // faults: nothing was popped
  after = run({0x17});
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(after.gpr[kRsp], 0xfffcu - 16);
}

TEST_F(TcgRing0Findings, AFarCallBeyondTheLimitHasPushedNothing) {
  put32(kStack - 4, 0x11223344);
  put32(kStack - 8, 0x55667788);
  // The frame of #GP goes elsewhere.
  state_.segments[kCs] = flat(kCode3, 11, 3);
  state_.segments[kSs] = flat(kData3, 3, 3);
  put64(kGdt + kFree, 0x0000fb000000ffff);  // 64 KiB
  const X86State after = run({0x9a, 0, 0, 1, 0, kFree | 3, 0});  // CALL kFree:10000h
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(word(after, 1), kCode);
  EXPECT_EQ(get32(kStack - 4), 0x11223344u);
  EXPECT_EQ(get32(kStack - 8), 0x55667788u);
}

TEST_F(TcgRing0Findings, ALoadThatCrossesTheCanonicalBoundaryIsNoPageFault) {
  enter_long_mode();
  state_.gpr[kRbx] = 0x7ffffffffff9;  // in a page that is not mapped
  EXPECT_EQ(vector_of(run({0x48, 0x8b, 0x03})), kGeneralProtection);
  EXPECT_EQ(vector_of(run({0x48, 0x89, 0x03})), kGeneralProtection);
  EXPECT_EQ(vector_of(run({0x48, 0x01, 0x03})), kGeneralProtection);
  EXPECT_EQ(vector_of(run({0x8b, 0x03})), kPageFault);  // does not cross
}

TEST_F(TcgRing0Findings, LockedAccessesAreCheckedForAlignmentToo) {
  enter_level3();
  state_.cr0 |= cr0::kAm;
  state_.rflags |= rflags::kAc;
  state_.gpr[kRbx] = kData + 2;
  EXPECT_EQ(vector_of(run({0x87, 0x03})), kAlignmentCheck);        // XCHG [EBX], EAX
  EXPECT_EQ(vector_of(run({0xf0, 0x01, 0x03})), kAlignmentCheck);  // LOCK ADD [EBX], EAX
  state_.gpr[kRbx] = kData + 4;
  EXPECT_EQ(vector_of(run({0x87, 0x03, 0xcc})), kBreakpoint);
}

class TcgWithoutRdtscp : public ModesTest {
 protected:
  TcgWithoutRdtscp() : ModesTest("max,-rdtscp,-rdpid") {}
};

TEST_F(TcgWithoutRdtscp, ThereIsNoTscAux) {
  state_.gpr[kRcx] = 0xc0000103;
  EXPECT_EQ(vector_of(run({0x0f, 0x32})), kGeneralProtection);
  EXPECT_EQ(vector_of(run({0x0f, 0x30})), kGeneralProtection);
}

}  // namespace
}  // namespace kite
