// Segments, gates, returns to outer levels, alignment checks and instruction fetch: what SDM 3A
// chapters 5 and 6 promise beyond the flat segments of today's kernels.
#include "tests/accel/tcg/modes.h"

namespace kite {
namespace {

class TcgProtection : public ModesTest {
 protected:
  // A call gate to `target` in kCode0.
  void call_gate(u64 target, u8 access, unsigned parameters) {
    put64(kGdt + kGate, (target & 0xffff) | u64{kCode0} << 16 | u64{parameters} << 32 |
                            u64{access} << 40 | (target >> 16 & 0xffff) << 48);
    put64(kGdt + kGate + 8, target >> 32);
  }
  const Bytes kCallGate = {0x9a, 0, 0, 0, 0, kGate | 3, 0};
  static Bytes jump_far(u32 offset, u16 selector) {
    return {0xea,
            static_cast<u8>(offset),
            static_cast<u8>(offset >> 8),
            static_cast<u8>(offset >> 16),
            static_cast<u8>(offset >> 24),
            static_cast<u8>(selector),
            static_cast<u8>(selector >> 8)};
  }
  u64& gpr(Gpr number) { return state_.gpr[number]; }
};

TEST_F(TcgProtection, ACallGateCopiesItsParametersAndRetfReleasesThem) {
  enter_level3();
  call_gate(kOther, 0xec, 3);
  for (u32 i = 0; i < 3; ++i) put32(kStack + 4 * i, 0xa0 + i);
  space_.write(kOther, Bytes{0xca, 12, 0});  // RETF 12
  Bytes code = kCallGate;
  code.push_back(0xcc);
  const X86State after = run(code);
  EXPECT_EQ(vector_of(after), kBreakpoint);
  EXPECT_EQ(word(after, 0), kCode + 8);
  EXPECT_EQ(word(after, 3), kStack + 12);
  const u32 wanted[] = {kCode + 7, kCode3, 0xa0, 0xa1, 0xa2, kStack, kData3};
  put8(kOther, kHlt);
  const X86State inside = run(code);
  EXPECT_EQ(inside.gpr[kRsp], kInnerStack - 28);
  for (unsigned i = 0; i < 7; ++i) EXPECT_EQ(word(inside, i), wanted[i]) << i;
  EXPECT_EQ(inside.segments[kCs].selector, kCode0);
}

TEST_F(TcgProtection, ASixteenBitCallGatePushesWords) {
  enter_level3();
  call_gate(kOther | 0x550000, 0xe4, 1);  // the upper half of the offset is not its own
  put16(kStack, 0xabcd);
  put8(kOther, kHlt);
  const X86State after = run(kCallGate);
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_EQ(after.gpr[kRsp], kInnerStack - 10);
  EXPECT_EQ(get16(kInnerStack - 10), kCode + 7);
  EXPECT_EQ(get16(kInnerStack - 8), kCode3);
  EXPECT_EQ(get16(kInnerStack - 6), 0xabcd);
  EXPECT_EQ(get16(kInnerStack - 2), kData3);
}

TEST_F(TcgProtection, ACallGateFromCompatibilityModePushesOnA64BitStack) {
  enter_long_mode();
  enter_level3();
  call_gate(kOther, 0xec, 0);
  put8(kOther, kHlt);
  X86State after = run(kCallGate);
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_TRUE(after.segments[kCs].l);
  EXPECT_EQ(after.gpr[kRsp], kInnerStack - 32);
  EXPECT_EQ(quad(after, 0), kCode + 7);
  EXPECT_EQ(quad(after, 1), kCode3);
  EXPECT_EQ(quad(after, 2), kStack);
  EXPECT_EQ(quad(after, 3), kData3);
  EXPECT_EQ(after.segments[kSs].selector, 0);
  space_.write(kOther, Bytes{0x48, 0xcb});  // RETFQ
  Bytes code = kCallGate;
  code.push_back(0xcc);
  after = run(code);
  EXPECT_EQ(vector_of(after), kBreakpoint);
  EXPECT_EQ(quad(after, 3), kStack);
  call_gate(kOther, 0xec, 0);
  put64(kGdt + kGate + 8, bit(40));  // a type in the upper half
  after = run(kCallGate);
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(quad(after, 0), kGate);
}

TEST_F(TcgProtection, AnInnerStackThatIsTooSmallIsAStackFaultWithItsSelector) {
  enter_level3();
  call_gate(kOther, 0xec, 0);
  put64(kGdt + kFree, 0x0040930000000000 | 0x0007);  // 8 bytes
  put32(kTss + 4, 8);
  put32(kTss + 8, kFree);
  state_.idtr.limit = 12 * 8 + 7;
  put64(kIdt + 12 * 8, u64{kNextTask} << 16 | u64{0xe5} << 40);
  prepare_next();
  const X86State after = run(kCallGate);
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_EQ(word(after, 0), kFree);
  EXPECT_EQ(get32(kTss + 0x20), kCode);
}

TEST_F(TcgProtection, RetfToAnOuterLevelReleasesAnOddNumberOfBytes) {
  gpr(kRsp) = kStack;
  const u32 frame[] = {kOther, kCode3};
  for (unsigned i = 0; i < 2; ++i) put32(kStack + 4 * i, frame[i]);
  put32(kStack + 8 + 5, kNextStack);
  put32(kStack + 8 + 5 + 4, kData3);
  put8(kOther, 0xcc);
  const X86State after = run({0xca, 5, 0});
  EXPECT_EQ(vector_of(after), kBreakpoint);
  EXPECT_EQ(word(after, 3), kNextStack + 5);
  EXPECT_TRUE(after.segments[kDs].unusable);  // it was of level 0
}

TEST_F(TcgProtection, ANullSelectorLosesItsRplOnAnOuterReturn) {
  const u32 frame[] = {kOther, kCode3, kNextStack, kData3};
  for (u32 i = 0; i < 4; ++i) put32(kStack + 4 * i, frame[i]);
  put8(kOther, 0xcc);
  state_.segments[kFs] = {.selector = 3, .limit = 0, .unusable = true};
  state_.segments[kGs] = flat(kData3, 3, 3);
  const X86State after = run({0xcb});
  EXPECT_EQ(vector_of(after), kBreakpoint);
  EXPECT_EQ(after.segments[kFs].selector, 0u);
  EXPECT_EQ(after.segments[kGs].selector, kData3);
}

TEST_F(TcgProtection, XsaveOfNothingLooksOnlyAtTheHeader) {
  enter_long_mode();
  map_small(kData, 0);
  state_.cr4 |= cr4::kOsxsave;
  state_.gpr[kRbx] = kData + 0xe00;  // the header stands in the next page
  state_.gpr[kRax] = state_.gpr[kRdx] = 0;
  EXPECT_EQ(run({0x0f, 0xae, 0x23}).rip, kCode + 4);  // XSAVE [RBX]
  EXPECT_EQ(run({0x0f, 0xae, 0x33}).rip, kCode + 4);  // XSAVEOPT [RBX]
  state_.gpr[kRax] = xcr0::kX87;
  EXPECT_EQ(vector_of(run({0x0f, 0xae, 0x23})), kPageFault);
}

TEST_F(TcgProtection, AnOuterReturnWithANullStackFaults) {
  for (u32 i = 0; i < 4; ++i)
    put32(kStack + 4 * i, i == 0 ? kOther : i == 1 ? kCode3 : i == 2 ? kNextStack : 3);
  const X86State after = run({0xcb});
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(word(after, 0), 0u);
  EXPECT_EQ(word(after, 1), kCode);
}

TEST_F(TcgProtection, AConformingSegmentKeepsTheLevel) {
  enter_level3();
  put64(kGdt + kFree, 0x00cf9f000000ffff);
  put8(kOther, 0xcc);
  const X86State after = run(jump_far(kOther, kFree));
  EXPECT_EQ(vector_of(after), kBreakpoint);
  EXPECT_EQ(word(after, 1), u32{kFree} | 3);
  // One of an outer level may not be entered from an inner one.
  put64(kGdt + kFree, 0x00cfff000000ffff);
  state_.segments.fill(flat(kData0, 3, 0));
  state_.segments[kCs] = flat(kCode0, 11, 0);
  EXPECT_EQ(vector_of(run(jump_far(kOther, kFree))), kGeneralProtection);
}

TEST_F(TcgProtection, AnExpandDownSegmentIsWhatLiesAboveItsLimit) {
  state_.segments[kDs] = {.selector = kFree, .limit = 0x5fff, .type = 7, .db = false};
  put8(0x6000, 0x11);
  put8(0xffff, 0x22);
  EXPECT_EQ(run({0xa0, 0x00, 0x60, 0, 0}).gpr[kRax] & 0xff, 0x11u);
  EXPECT_EQ(run({0xa0, 0xff, 0xff, 0, 0}).gpr[kRax] & 0xff, 0x22u);
  EXPECT_EQ(vector_of(run({0xa0, 0xff, 0x5f, 0, 0})), kGeneralProtection);
  EXPECT_EQ(vector_of(run({0xa0, 0x00, 0x00, 1, 0})), kGeneralProtection);  // above 64 KiB
  state_.segments[kDs].db = true;
  EXPECT_EQ(run({0xa0, 0x00, 0x00, 1, 0}).rip, kCode + 6);
}

TEST_F(TcgProtection, LarAndLslReportAPageFaultOfTheTable) {
  enter_long_mode();
  map_small(kLdt, 0);
  state_.ldtr = {.selector = 0x50, .base = kLdt, .limit = 0xff, .type = 2, .s = false};
  gpr(kRax) = 0x0c;
  for (const Bytes& code : {Bytes{0x0f, 0x02, 0xd8}, Bytes{0x0f, 0x03, 0xd8},
                            Bytes{0x0f, 0x00, 0xe0}, Bytes{0x0f, 0x00, 0xe8}}) {
    const X86State after = run(code);
    EXPECT_EQ(vector_of(after), kPageFault) << int{code[1]};
    EXPECT_EQ(after.cr2, kLdt + 8);
  }
  gpr(kRax) = 0x800;  // beyond the table: no fault
  EXPECT_EQ(run({0x0f, 0x02, 0xd8}).rip, kCode + 4);
}

TEST_F(TcgProtection, UnrealModeReachesFourGibibytes) {
  state_.cr0 = cr0::kEt;
  state_.segments.fill({.selector = 0, .limit = 0xffff});
  state_.segments[kDs].limit = 0xffffffff;
  state_.idtr = {0, 0x3ff};
  put32(0x200000, 0x12345678);
  put16(13 * 4, kOther);
  put8(kOther, kHlt);
  const Bytes code = {0x67, 0x66, 0xa1, 0, 0, 0x20, 0};  // MOV EAX, [200000h]
  EXPECT_EQ(run(code).gpr[kRax], 0x12345678u);
  // A load of DS keeps the limit.
  EXPECT_EQ(run({0x8e, 0xd8, 0x67, 0x66, 0xa1, 0, 0, 0x20, 0}).gpr[kRax], 0x12345678u);
  state_.segments[kDs].limit = 0xffff;
  EXPECT_EQ(run(code).rip, kOther + 1);
}

TEST_F(TcgProtection, AlignmentIsCheckedAtLevel3UnderAmAndAc) {
  enter_level3();
  gpr(kRbx) = kData + 1;
  const Bytes load = {0x8b, 0x03, 0xcc};  // MOV EAX, [EBX]
  state_.rflags |= rflags::kAc;
  EXPECT_EQ(vector_of(run(load)), kBreakpoint);
  state_.cr0 |= cr0::kAm;
  X86State after = run(load);
  EXPECT_EQ(vector_of(after), kAlignmentCheck);
  EXPECT_EQ(word(after, 0), 0u);
  EXPECT_EQ(word(after, 1), kCode);
  EXPECT_EQ(vector_of(run({0x01, 0x03})), kAlignmentCheck);             // ADD [EBX], EAX
  EXPECT_EQ(vector_of(run({0x8a, 0x03, 0xcc})), kBreakpoint);           // a byte
  EXPECT_EQ(vector_of(run({0x0f, 0x10, 0x03, 0xcc})), kInvalidOpcode);  // no CR4.OSFXSR
  state_.cr4 = cr4::kOsfxsr;
  EXPECT_EQ(vector_of(run({0x0f, 0x10, 0x03, 0xcc})), kBreakpoint);      // MOVUPS: none
  EXPECT_EQ(vector_of(run({0xf2, 0x0f, 0x10, 0x03})), kAlignmentCheck);  // MOVSD: 8
  gpr(kRbx) = kData + 4;
  EXPECT_EQ(vector_of(run(load)), kBreakpoint);
  EXPECT_EQ(vector_of(run({0xdd, 0x03})), kAlignmentCheck);  // FLD m64
  gpr(kRsp) = kStack + 2;
  EXPECT_EQ(vector_of(run({0x50})), kAlignmentCheck);
  state_.rflags = 2;
  EXPECT_EQ(vector_of(run({0x50, 0xcc})), kBreakpoint);
}

TEST_F(TcgProtection, AlignmentComesBeforeThePageAndBehindTheCanonicalCheck) {
  enter_long_mode();
  enter_level3(kCode64User);
  state_.cr0 |= cr0::kAm;
  state_.rflags |= rflags::kAc;
  gpr(kRbx) = 0x40000001;  // not mapped
  EXPECT_EQ(vector_of(run({0x8b, 0x03})), kAlignmentCheck);
  gpr(kRbx) = 0x40000000;
  EXPECT_EQ(vector_of(run({0x8b, 0x03})), kPageFault);
  gpr(kRbx) = 0x8000000000001;
  EXPECT_EQ(vector_of(run({0x8b, 0x03})), kGeneralProtection);
}

TEST_F(TcgProtection, TheLimitOfCsHoldsInsideABlock) {
  // Code at kCode seen through a segment that ends in the middle of its third instruction.
  state_.segments[kCs].base = kCode;
  state_.rip = 0;
  const Bytes code = {0x43, 0x43, 0xb8, 1, 0, 0, 0};  // INC EBX; INC EBX; MOV EAX, 1
  X86State after = run(code);
  EXPECT_EQ(after.rip, 8u);
  for (u32 limit : {5u, 2u, 1u}) {
    state_.segments[kCs].limit = limit;
    after = run(code);
    EXPECT_EQ(vector_of(after), kGeneralProtection) << limit;
    EXPECT_EQ(word(after, 1), 2u);
    EXPECT_EQ(after.gpr[kRbx], 2u);
    EXPECT_EQ(after.gpr[kRax], 0u);
  }
  // The same bytes through another limit, then another base: blocks are shared, limits are not.
  state_.segments[kCs].limit = 0xffffffff;
  EXPECT_EQ(run(code).gpr[kRax], 1u);
}

TEST_F(TcgProtection, CodeThatGrowsPast64KiBInRealModeFaults) {
  state_.cr0 = cr0::kEt;
  state_.segments.fill({.selector = 0, .limit = 0xffff});
  state_.idtr = {0, 0x3ff};
  put16(13 * 4, kOther);
  put8(kOther, kHlt);
  state_.rip = 0xfffe;
  const X86State after = run({0x43, 0x43, 0x43});
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_EQ(after.gpr[kRbx], 2u);
}

TEST_F(TcgProtection, CodeThatCrossesIntoAPageThatFaultsNamesThatPage) {
  enter_long_mode();
  map_small(kOther, 0);
  state_.rip = kOther - 3;
  space_.write(kOther - 3, Bytes{0xff, 0xc3, 0xb8});  // INC EBX; MOV EAX, …
  const X86State after = resume();
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(after.cr2, kOther);
  EXPECT_EQ(quad(after, 1), kOther - 1);
  EXPECT_EQ(after.gpr[kRbx], 1u);
}

TEST_F(TcgProtection, IretAndSysretToANonCanonicalAddressFaultAtLevel0) {
  enter_long_mode();
  const u64 frame[] = {0x800000000000, kCode64User, 2, kStack, kData3};
  for (unsigned i = 0; i < 5; ++i) put64(kStack + 8 * i, frame[i]);
  X86State after = run({0x48, 0xcf});
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(quad(after, 1), kCode);
  EXPECT_EQ(quad(after, 2), kCode0);
  EXPECT_EQ(quad(after, 4), kStack);
  gpr(kRcx) = 0x800000000000;
  state_.star = u64{kData0} << 48;
  after = run({0x48, 0x0f, 0x07});
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(quad(after, 1), kCode);
  EXPECT_EQ(quad(after, 2), kCode0);
}

TEST_F(TcgProtection, SysenterFrom32BitCodeTakesItsStateFromMsrs) {
  enter_level3();
  state_.sysenter_cs = kCode0;
  state_.sysenter_esp = kInnerStack;
  state_.sysenter_eip = kOther;
  state_.rflags |= rflags::kIf;
  put8(kOther, kHlt);
  const X86State after = run({0x0f, 0x34});
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_EQ(after.gpr[kRsp], kInnerStack);
  EXPECT_EQ(after.segments[kCs].selector, kCode0);
  EXPECT_EQ(after.segments[kSs].selector, kData0);
  EXPECT_EQ(after.rflags & rflags::kIf, 0u);
}

TEST_F(TcgProtection, ABreakpointComesBeforeTheFaultsOfTheFetch) {
  enter_long_mode();
  map_small(kOther, 0);
  state_.dr[0] = kOther;
  state_.dr7 |= 3;
  state_.cr2 = 0x4711;
  const auto jump = [&] { return run({0xb8, 0, kOther >> 8, 0, 0, 0xff, 0xe0}); };  // JMP RAX
  X86State after = jump();
  EXPECT_EQ(vector_of(after), kDebugException);
  EXPECT_EQ(quad(after, 0), kOther);
  EXPECT_EQ(after.cr2, 0x4711u);
  state_.dr7 = 0x400;
  after = jump();
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(after.cr2, kOther);
}

TEST_F(TcgProtection, FifteenBytesAreALengthEvenWhereTheNextPageIsNotThere) {
  enter_long_mode();
  map_small(kOther, 0);
  for (const unsigned prefixes : {14u, 15u}) {
    state_.rip = kOther - prefixes;
    space_.write(state_.rip, Bytes(prefixes, 0x66));
    EXPECT_TRUE(vcpu_->set_state(state_));
    EXPECT_TRUE(vcpu_->run(kNever));
    const X86State after = vcpu_->state();
    EXPECT_EQ(vector_of(after), prefixes == 15 ? kGeneralProtection : kPageFault) << prefixes;
    EXPECT_EQ(quad(after, 1), kOther - prefixes);  // behind the error code
  }
}

TEST_F(TcgProtection, ABreakpointOnARepeatedInstructionIsTakenOnce) {
  state_.dr[0] = kCode;
  state_.dr7 |= 3;
  gate(kDebugException, 0x8e, {0x42, 0x81, 0x4c, 0x24, 8, 0, 0, 1, 0, 0xcf});  // INC EDX; RF; IRET
  gpr(kRcx) = 5;
  gpr(kRdx) = 0;
  gpr(kRdi) = kData;
  const X86State after = run({0xf3, 0xaa});
  EXPECT_EQ(after.rip, kCode + 3);
  EXPECT_EQ(after.gpr[kRcx], 0u);
  EXPECT_EQ(after.gpr[kRdx], 1u);
}

TEST_F(TcgProtection, ADataBreakpointInsideARepeatSavesRf) {
  state_.dr[0] = kData + 2;
  state_.dr7 |= 3 | 1 << 16;  // write, one byte
  gpr(kRcx) = 5;
  gpr(kRdi) = kData;
  const X86State after = run({0xf3, 0xaa});
  EXPECT_EQ(vector_of(after), kDebugException);
  EXPECT_EQ(after.gpr[kRcx], 2u);
  EXPECT_EQ(word(after, 0), kCode);
  EXPECT_TRUE(word(after, 2) & rflags::kRf);
}

TEST_F(TcgProtection, MovSsHoldsOffTheSingleStepBehindItAndAsOnAmdNoBreakpoint) {
  gpr(kRax) = kData0;
  state_.rflags |= rflags::kTf;
  X86State after = run({0x8e, 0xd0, 0x90, 0x90});
  EXPECT_EQ(vector_of(after), kDebugException);
  EXPECT_EQ(word(after, 0), kCode + 3);
  state_.rflags = 2;
  state_.dr[0] = kCode + 2;
  state_.dr7 |= 3;
  after = run({0x8e, 0xd0, 0x90, 0x90});
  EXPECT_EQ(vector_of(after), kDebugException);
  EXPECT_EQ(word(after, 0), kCode + 2);
}

}  // namespace
}  // namespace kite
