// Hardware task switches (SDM 3A chapter 7).
#include "tests/accel/tcg/modes.h"

namespace kite {
namespace {

class TcgTask : public ModesTest {
 protected:
  const Bytes kJump = {0xea, 0, 0, 0, 0, kNextTask, 0}, kCall = {0x9a, 0, 0, 0, 0, kNextTask, 0};
  static constexpr u8 kIret = 0xcf;
};

TEST_F(TcgTask, AFarJumpToATssSwitchesTheTask) {
  prepare_next(0x2 | rflags::kDf);
  state_.gpr[kRax] = 0xabcd1234;
  state_.rflags |= rflags::kIf;
  state_.dr7 |= 0x3ff;
  const X86State after = run(kJump);
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_EQ(after.gpr[kRax], 0x11111111u);
  EXPECT_EQ(after.gpr[kRdi], 0x88888888u);
  EXPECT_EQ(after.gpr[kRsp], kNextStack);
  EXPECT_EQ(after.rflags, 2 | rflags::kDf);
  EXPECT_EQ(after.tr.selector, kNextTask);
  EXPECT_EQ(after.tr.base, kNextTss);
  EXPECT_TRUE(after.cr0 & cr0::kTs);
  EXPECT_EQ(after.dr7 & 0x3ff, 0x2aau);  // the local breakpoints are off, the global ones stay
  EXPECT_EQ(access_of(kTask), 0x89);
  EXPECT_EQ(access_of(kNextTask), 0x8b);
  EXPECT_EQ(get32(kTss + 0x20), kCode + 7);
  EXPECT_EQ(get32(kTss + 0x24), 2 | rflags::kIf);
  EXPECT_EQ(get32(kTss + 0x28), 0xabcd1234u);
  EXPECT_EQ(get32(kTss + 0x4c), kCode0);
}

TEST_F(TcgTask, AFarCallNestsAndIretComesBack) {
  prepare_next();
  put8(kOther, kIret);
  put8(kOther + 1, kHlt);
  state_.gpr[kRbx] = 5;
  const X86State after = run(kCall);
  EXPECT_EQ(after.rip, kCode + 8);
  EXPECT_EQ(after.gpr[kRbx], 5u);
  EXPECT_EQ(after.tr.selector, kTask);
  EXPECT_EQ(after.rflags & rflags::kNt, 0u);
  EXPECT_EQ(access_of(kTask), 0x8b);
  EXPECT_EQ(access_of(kNextTask), 0x89);
  EXPECT_EQ(get16(kNextTss), kTask);
  EXPECT_EQ(get32(kNextTss + 0x24) & rflags::kNt, 0u);
  EXPECT_EQ(get32(kNextTss + 0x20), kOther + 1);
}

TEST_F(TcgTask, ANestedTaskHasNtAndALinkAndLeavesTheOldOneBusy) {
  prepare_next();
  const X86State after = run(kCall);
  EXPECT_TRUE(after.rflags & rflags::kNt);
  EXPECT_EQ(get16(kNextTss), kTask);
  EXPECT_EQ(access_of(kTask), 0x8b);
  EXPECT_EQ(access_of(kNextTask), 0x8b);
}

TEST_F(TcgTask, AnExceptionThroughATaskGatePushesItsErrorCodeOnTheNewStack) {
  prepare_next();
  task_gate(kGeneralProtection, kNextTask);
  const X86State after = run({0xb8, 0x50, 0, 0, 0, 0x8e, 0xd8});  // MOV EAX, 50h; MOV DS, AX
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_EQ(after.gpr[kRsp], kNextStack - 4);
  EXPECT_EQ(word(after, 0), 0x50u);
  EXPECT_EQ(get32(kTss + 0x20), kCode + 5);
  EXPECT_TRUE(get32(kTss + 0x24) & rflags::kRf);
}

TEST_F(TcgTask, IntNAndCallThroughATaskGateSwitch) {
  prepare_next();
  task_gate(0x40, kNextTask);
  EXPECT_EQ(run({0xcd, 0x40}).rip, kOther + 1);
  EXPECT_EQ(get32(kTss + 0x20), kCode + 2);
  EXPECT_EQ(get32(kTss + 0x24) & rflags::kRf, 0u);
  put64(kGdt + kTask, system_descriptor(kTss, 0x2fff, 0x8b));
  put64(kGdt + kNextTask, system_descriptor(kNextTss, 0x67, 0x89));
  put64(kGdt + kGate, u64{kNextTask} << 16 | u64{0x85} << 40);
  prepare_next();
  EXPECT_EQ(run({0x9a, 0, 0, 0, 0, kGate, 0}).rip, kOther + 1);
  EXPECT_EQ(get16(kNextTss), kTask);
}

TEST_F(TcgTask, ASixteenBitTssSavesAndLoadsSixteenBits) {
  put64(kGdt + kNextTask, system_descriptor(kNextTss, 0x2b, 0x81));
  put16(kNextTss + 0x0e, kOther);
  put16(kNextTss + 0x10, 2);
  for (unsigned i = 0; i < 8; ++i) put16(kNextTss + 0x12 + 2 * i, static_cast<u16>(0x1111 * i));
  put16(kNextTss + 0x22, kData0);
  put16(kNextTss + 0x24, kCode0);
  put16(kNextTss + 0x26, kData0);
  put16(kNextTss + 0x28, kData0);
  space_.write(kOther, Bytes{0xb8, 0x78, 0x56, 0x34, 0x12, kIret});  // MOV EAX, 12345678h; IRET
  const X86State after = run(kCall);
  EXPECT_EQ(after.rip, kCode + 8);
  EXPECT_EQ(get16(kNextTss), kTask);
  EXPECT_EQ(get16(kNextTss + 0x12), 0x5678);
  EXPECT_EQ(get16(kNextTss + 0x0e), kOther + 6);
  EXPECT_EQ(get16(kNextTss + 0x14), 0x1111);  // CX as it was loaded
  EXPECT_EQ(access_of(kNextTask), 0x81);
}

TEST_F(TcgTask, RefusalsBelongToTheOldTask) {
  prepare_next();
  const auto refused = [&](u64 descriptor, int vector, u32 error) {
    put64(kGdt + kNextTask, descriptor);
    const X86State after = run(kJump);
    EXPECT_EQ(vector_of(after), vector);
    EXPECT_EQ(word(after, 0), error);
    EXPECT_EQ(word(after, 1), kCode);
    EXPECT_EQ(after.tr.selector, kTask);
    EXPECT_EQ(access_of(kTask), 0x8b);
  };
  refused(system_descriptor(kNextTss, 0x67, 0x8b), 13, kNextTask);  // busy
  refused(system_descriptor(kNextTss, 0x67, 0x09), 11, kNextTask);  // not present
  refused(system_descriptor(kNextTss, 0x66, 0x89), 10, kNextTask);  // too short
  refused(system_descriptor(kNextTss, 0x67, 0x82), 13, kNextTask);  // an LDT
}

TEST_F(TcgTask, FaultsOfTheNewTasksSegmentsBelongToTheNewTask) {
  const auto faults = [&](unsigned at, u32 value, int vector, u32 error) {
    put64(kGdt + kTask, system_descriptor(kTss, 0x2fff, 0x8b));
    put64(kGdt + kNextTask, system_descriptor(kNextTss, 0x67, 0x89));
    prepare_next();
    put32(kNextTss + at, value);
    const X86State after = run(kJump);
    EXPECT_EQ(vector_of(after), vector);
    EXPECT_EQ(word(after, 0), error);
    EXPECT_EQ(word(after, 1), at == 0x20 ? value : kOther);
    EXPECT_EQ(after.tr.selector, kNextTask);
  };
  put64(kGdt + kFree, 0x00cf13000000ffff);  // data, not present
  faults(0x54, 0xf8 + 8, 10, 0x100);        // DS beyond the table
  faults(0x54, kFree, 11, kFree);
  put64(kGdt + kFree2, 0x00409b0000000fff);  // code of 4 KiB
  faults(0x4c, kFree2, 13, 0);               // EIP beyond it
  faults(0x4c, kCode3, 10, kData0);          // a stack of another level
}

TEST_F(TcgTask, TheDebugBitOfATssTrapsBeforeTheFirstInstruction) {
  prepare_next();
  put32(kNextTss + 0x64, 1);
  const X86State after = run(kJump);
  EXPECT_EQ(vector_of(after), kDebugException);
  EXPECT_EQ(word(after, 0), kOther);
  EXPECT_TRUE(after.dr6 & dr6::kBt);
}

TEST_F(TcgTask, ASingleStepStaysWithTheTaskThatAskedForIt) {
  prepare_next();
  state_.rflags |= rflags::kTf;
  EXPECT_EQ(run(kJump).rip, kOther + 1);  // to the HLT, not to the debug handler
  EXPECT_TRUE(get32(kTss + 0x24) & rflags::kTf);
  prepare_next(2 | rflags::kTf);
  put64(kGdt + kTask, system_descriptor(kTss, 0x2fff, 0x8b));
  put64(kGdt + kNextTask, system_descriptor(kNextTss, 0x67, 0x89));
  put8(kOther, 0x90);
  state_.rflags = 2;
  const X86State after = run(kJump);
  EXPECT_EQ(vector_of(after), kDebugException);
  EXPECT_EQ(word(after, 0), kOther + 1);
}

TEST_F(TcgTask, ATssMayHoldAVirtual8086Task) {
  prepare_next(2 | rflags::kVm | rflags::kIopl);
  put32(kNextTss + 0x20, 0);
  put32(kNextTss + 0x4c, kOther >> 4);
  put32(kNextTss + 0x54, 0x1234);
  put32(kNextTss + 4, kInnerStack);
  put32(kNextTss + 8, kData0);
  space_.write(kOther, Bytes{0xcd, 0x40});
  const X86State after = run(kJump);
  EXPECT_EQ(vector_of(after), 0x40);
  EXPECT_EQ(word(after, 0), 2u);           // IP
  EXPECT_EQ(word(after, 1), kOther >> 4);  // CS
  EXPECT_TRUE(word(after, 2) & rflags::kVm);
  EXPECT_EQ(word(after, 6), 0x1234u);  // DS
}

TEST_F(TcgTask, TheNewTaskHasItsOwnLocalTable) {
  prepare_next();
  put64(kGdt + kFree, system_descriptor(kLdt, 0xf, 0x82));
  put64(kLdt + 8, 0x00cf93000000ffff);
  put32(kNextTss + 0x60, kFree);
  put32(kNextTss + 0x54, 0x0c);
  const X86State after = run(kJump);
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_EQ(after.ldtr.base, kLdt);
  EXPECT_EQ(after.segments[kDs].selector, 0x0c);
  EXPECT_FALSE(after.segments[kDs].unusable);
}

TEST_F(TcgTask, IretWithNtToATaskThatIsNotBusyIsAnInvalidTss) {
  put16(kTss, kNextTask);
  state_.rflags |= rflags::kNt;
  const X86State after = run({kIret});
  EXPECT_EQ(vector_of(after), kInvalidTss);
  EXPECT_EQ(word(after, 0), kNextTask);
}

TEST_F(TcgTask, ATaskSwitchLoadsCr3) {
  constexpr Gpa kDirectory = 0x40000, kOtherDirectory = 0x41000;
  put32(kDirectory, 0x83);  // 4 MiB, present, writable
  put32(kOtherDirectory, 0x83);
  state_.cr0 |= cr0::kPg;
  state_.cr3 = kDirectory;
  state_.cr4 = cr4::kPse;
  prepare_next();
  put32(kNextTss + 0x1c, kOtherDirectory);
  const X86State after = run(kJump);
  EXPECT_EQ(after.cr3, kOtherDirectory);
  EXPECT_EQ(after.rip, kOther + 1);
}

}  // namespace
}  // namespace kite
