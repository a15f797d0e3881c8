// What system software relies on, as bytes run by an interpreted processor in 64-bit mode at CPL 0.
#include <gtest/gtest.h>

#include "accel/tcg/tcg.h"
#include "accel/x86/msr.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "memory/backend.h"
#include "memory/dirty_log.h"

namespace kite {
namespace {

constexpr Gpa kCode = 0x3000, kHandlers = 0x4000, kData = 0x5000;
constexpr Gpa kPml4 = 0x10000, kPdpt = 0x11000, kPageDirectory = 0x12000;
constexpr Gpa kGdt = 0x20000, kIdt = 0x21000, kTss = 0x22000, kStack = 0x30000;
constexpr u64 kLargePage = 0x87;  // present, writable, user, 2 MiB

// A clock that moves by a microsecond each time it is looked at.
class CountingClock final : public Clock {
 public:
  Nanos now() const override { return 1000 * ++looks; }
  mutable Nanos looks = 0;
};

class RecordingPort final : public InterruptPort {
 public:
  bool pending() override { return false; }
  std::optional<u8> acknowledge() override { return {}; }
  u8 cr8() override { return 0; }
  void set_cr8(u8) override {}
  bool read_msr(u32 index, u64& value) override {
    value = apic_base;
    return index == msr::kApicBase;
  }
  bool write_msr(u32 index, u64 value) override {
    if (index == msr::kTscDeadline) deadline = value;
    return index == msr::kTscDeadline;
  }
  void set_tsc_offset(i64 value) override { offset = value; }
  u64 apic_base = msr::kApicBaseDefault | msr::kApicBaseEnable;
  u64 deadline = 0;
  i64 offset = 0;
};

class TcgSystem : public testing::Test {
 protected:
  TcgSystem() {
    memory_ = std::move(*allocate(*parse_backend("ram,size=4M")));
    AddressSpace::Edit(space_).map({0, memory_.size(), Region::ram("ram", memory_)});
    accelerator_ = *tcg_kind().create({space_, ports_, clock_, model_});
    vcpu_ = *accelerator_->create_vcpu({.interrupts = &port_});
    put(kPml4, kPdpt | 7);
    put(kPdpt, kPageDirectory | 7);
    put(kPageDirectory, kLargePage);
    put(kPageDirectory + 8, 0x200000 | kLargePage);
    put(kGdt + 8, 0x00209a0000000000);  // 64-bit code
    put(kTss + 4, kStack);
    state_ = X86State::after_reset();
    state_.cr0 = cr0::kPe | cr0::kPg | cr0::kEt;
    state_.cr3 = kPml4;
    state_.cr4 = cr4::kPae;
    state_.efer = efer::kLme | efer::kLma | efer::kSce;
    state_.segments[kCs] = {.selector = 8, .type = 11, .l = true};
    state_.gdtr = {kGdt, 0xff};
    state_.idtr = {kIdt, 0xfff};
    state_.tr = {.selector = 0x18, .base = kTss, .limit = 0x67, .type = 11, .s = false};
    state_.gpr[kRsp] = kStack;
    state_.rip = kCode;
  }

  void put(Gpa at, u64 value) { space_.write_value(at, value, 8); }

  // An interrupt gate to `code`, which is put in memory.
  void handle(u8 vector, std::vector<u8> code, u8 stack_table = 0) {
    const Gpa at = kHandlers + vector * 16u;
    space_.write(at, code);
    put(kIdt + vector * 16u, at | 8u << 16 | u64{stack_table} << 32 | u64{0x8e00} << 32);
    put(kIdt + vector * 16u + 8, 0);
  }

  // Runs `code` from `state_` to its HLT; the state then.
  X86State run(std::vector<u8> code) {
    code.push_back(0xf4);
    space_.write(kCode, code);
    EXPECT_TRUE(vcpu_->set_state(state_));
    auto exit = vcpu_->run(kNever);
    EXPECT_TRUE(exit && exit->kind == Exit::Kind::kHalted);
    return vcpu_->state();
  }

  AddressSpace space_;
  PortSpace ports_;
  CountingClock clock_;
  RecordingPort port_;
  HostMemory memory_;
  CpuModel model_ = *find_cpu_model("max");
  std::unique_ptr<Accelerator> accelerator_;
  std::unique_ptr<Vcpu> vcpu_;
  X86State state_;
};

TEST_F(TcgSystem, InvlpgOfAnyAddressInALargePageDropsAllOfIt) {
  put(0x201000, 0x11);
  put(0x1000, 0x22);
  const X86State after = run({
      0x48, 0x8b, 0x04, 0x25, 0x00, 0x10, 0x20, 0x00,                 // MOV RAX, [201000h]
      0x48, 0xc7, 0x04, 0x25, 0x08, 0x20, 0x01, 0x00, 0x87, 0, 0, 0,  // the page moves to 0
      0x0f, 0x01, 0x3c, 0x25, 0x00, 0x00, 0x20, 0x00,                 // INVLPG [200000h]
      0x48, 0x8b, 0x1c, 0x25, 0x00, 0x10, 0x20, 0x00,                 // MOV RBX, [201000h]
  });
  EXPECT_EQ(after.gpr[kRax], 0x11u);
  EXPECT_EQ(after.gpr[kRbx], 0x22u);
}

constexpr u8 kPopRax = 0x58, kHlt = 0xf4;

TEST_F(TcgSystem, SyscallThatClearsTfIsNotASingleStep) {
  handle(kDebugException, {kPopRax, kHlt});
  space_.write(kData, std::vector<u8>{kHlt});
  state_.rflags |= rflags::kTf;
  state_.sfmask = rflags::kTf;
  state_.star = u64{8} << 32;
  state_.lstar = kData;
  EXPECT_EQ(run({0x0f, 0x05}).rip, kData + 1);
}

TEST_F(TcgSystem, SysretThatSetsTfTrapsBeforeTheProgramsNextInstruction) {
  handle(kDebugException, {kPopRax, kHlt});
  space_.write(kData, std::vector<u8>{0x90, 0x90});
  state_.gpr[kRcx] = kData;
  state_.gpr[kR11] = rflags::kTf | rflags::kFixed;
  state_.star = u64{0x10} << 48;
  EXPECT_EQ(run({0x48, 0x0f, 0x07}).gpr[kRax], kData);
}

TEST_F(TcgSystem, StiHoldsOffInterruptsButNotTheSingleStep) {
  handle(kDebugException, {kPopRax, kHlt});
  state_.rflags |= rflags::kTf;
  EXPECT_EQ(run({0xfb, 0x90}).gpr[kRax], kCode + 1);
}

TEST_F(TcgSystem, AnyDebugExceptionClearsGeneralDetect) {
  handle(kDebugException, {0xff, 0xc3, 0x0f, 0x21, 0xf8, kHlt});  // INC EBX; MOV RAX, DR7
  state_.rflags |= rflags::kTf;
  state_.dr7 = dr7::kFixed | dr7::kGd;
  const X86State after = run({0x90, 0x90});
  EXPECT_EQ(after.gpr[kRbx], 1u);
  EXPECT_EQ(after.gpr[kRax], dr7::kFixed);
}

TEST_F(TcgSystem, AStackOfTheInterruptTableBeyondTheTssIsAnInvalidTss) {
  handle(kInvalidTss, {kPopRax, kHlt});
  handle(0x40, {kHlt}, 7);
  state_.tr.limit = 0x30;
  EXPECT_EQ(run({0xcd, 0x40}).gpr[kRax], 0x18u);
}

TEST_F(TcgSystem, AGateToANonCanonicalAddressFaultsBeforeItIsTaken) {
  handle(kGeneralProtection, {kPopRax, 0x5b, kHlt});  // error code; RBX = RIP
  handle(0x40, {kHlt});
  put(kIdt + 0x40 * 16 + 8, 0x8000);
  const X86State after = run({0xcd, 0x40});
  EXPECT_EQ(after.gpr[kRax], 0u);
  EXPECT_EQ(after.gpr[kRbx], kCode);
}

TEST_F(TcgSystem, MovingTheTscMovesTheDeadlinesAndTheParavirtualClock) {
  const X86State after = run({
      0xb9, 0x01, 0x4d, 0x56, 0x4b,                       // MOV ECX, KVM_SYSTEM_TIME
      0xb8, 0x01, 0x50, 0x00, 0x00, 0x31, 0xd2,           // MOV EAX, kData + 1; XOR EDX, EDX
      0x0f, 0x30,                                         // WRMSR
      0xb9, 0x10, 0,    0,    0,    0xba, 0,    1, 0, 0,  // MOV ECX, TSC; MOV EDX, 100h
      0x0f, 0x30,                                         // WRMSR
      0xb9, 0xe0, 0x06, 0,    0,    0xba, 0,    0, 0, 0,  // MOV ECX, TSC_DEADLINE; MOV EDX, 0
      0xb8, 5,    0,    0,    0,    0x0f, 0x30,           // MOV EAX, 5; WRMSR
  });
  EXPECT_EQ(port_.deadline, 5u);
  EXPECT_GT(port_.offset, i64{0xff} << 32);
  EXPECT_EQ(space_.read_value(kData + 8, 8) >> 32, 0x100u);
  EXPECT_EQ(after.tsc >> 32, 0x100u);
}

TEST_F(TcgSystem, InitLeavesTheTscAlone) {
  EXPECT_TRUE(vcpu_->set_state(state_));
  const u64 tsc = vcpu_->state().tsc;
  const Nanos looks = clock_.looks;
  vcpu_->signal(Signal::kInit, 0);
  vcpu_->signal(Signal::kSipi, 3);  // nobody waits for it: the boot processor runs
  EXPECT_TRUE(vcpu_->run(clock_.looks * 1000));
  EXPECT_EQ(vcpu_->state().cr0 & cr0::kPg, 0u);
  const u64 moved = vcpu_->state().tsc - tsc;
  EXPECT_EQ(moved, static_cast<u64>(clock_.looks - looks) * 1000 * model_.tsc_hz / 1'000'000'000);
}

TEST_F(TcgSystem, ADirtyLogSeesStoresThatWentStraightToMemoryBefore) {
  // XOR EAX, EAX; 1: MOV [5000h], AL; JMP 1b
  space_.write(kCode, std::vector<u8>{0x31, 0xc0, 0x88, 0x04, 0x25, 0, 0x50, 0, 0, 0xeb, 0xf7});
  EXPECT_TRUE(vcpu_->set_state(state_));
  EXPECT_TRUE(vcpu_->run(0));  // its deadline has passed: some thousand turns
  space_.dirty_log().start(memory_.data(), memory_.size());
  EXPECT_TRUE(vcpu_->run(0));
  const std::vector<u64> dirty = space_.dirty_log().collect();
  EXPECT_NE(std::find(dirty.begin(), dirty.end(), kData / kPageSize), dirty.end());
  space_.dirty_log().stop();
}

TEST_F(TcgSystem, TheHypervisorThatCpuidNamesAnswersThatItKnowsNoCall) {
  for (u8 call : {0xc1, 0xd9}) {  // VMCALL, VMMCALL
    state_.gpr[kRax] = 1;
    EXPECT_EQ(run({0x0f, 0x01, call}).gpr[kRax], static_cast<u64>(-1000));
  }
}

// PSE-36: bits 20:13 of a 4 MiB page's entry are address bits, bit 21 is reserved (SDM 3A table
// 4-4).
TEST_F(TcgSystem, AReservedBitOfA4MibPageFaults) {
  state_.efer = 0;
  state_.cr4 = cr4::kPse;
  const auto flat = [](u16 selector, u8 type) {
    return Segment{.selector = selector, .limit = 0xffffffff, .type = type, .db = true, .g = true};
  };
  for (Segment& segment : state_.segments) segment = flat(0x10, 3);
  state_.segments[kCs] = flat(8, 11);
  put(kGdt + 8, 0x00cf9a000000ffff);
  space_.write(kHandlers, std::vector<u8>{kPopRax, kHlt});
  put(kIdt + kPageFault * 8, (kHandlers & 0xffff) | 8u << 16 | u64{0x8e00} << 32);
  put(kPml4, 0x87 | u64{0x87} << 32);  // two 4 MiB pages at 0
  put(kData, 0x1234);
  const std::vector<u8> read = {0xa1, 0x00, 0x50, 0x40, 0x00};  // MOV EAX, [405000h]
  EXPECT_EQ(run(read).gpr[kRax], 0x1234u);
  put(kPml4, 0x87 | u64{0x200087} << 32);
  EXPECT_EQ(run(read).gpr[kRax], 9u);  // the error code: present, reserved bit
}

// MOV ECX, index; MOV EAX, low; MOV EDX, high; WRMSR; XOR EAX, EAX; XOR EDX, EDX; RDMSR
std::vector<u8> write_and_read(u32 index, u64 value) {
  std::vector<u8> code = {0xb9, 0, 0, 0,    0,    0xb8, 0,    0,    0,    0,    0xba, 0,
                          0,    0, 0, 0x0f, 0x30, 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x32};
  store<u32>(&code[1], index);
  store<u32>(&code[6], static_cast<u32>(value));
  store<u32>(&code[11], static_cast<u32>(value >> 32));
  return code;
}

TEST_F(TcgSystem, MemoryTypeRangesKeepWhatIsLegal) {
  handle(kGeneralProtection, {0x48, 0xc7, 0xc0, 0x0d, 0, 0, 0, 0x31, 0xd2, kHlt});  // RAX = 13
  const auto written = [&](u32 index, u64 value) {
    const X86State after = run(write_and_read(index, value));
    return after.gpr[kRax] | after.gpr[kRdx] << 32;
  };
  const u64 fault = 13;
  EXPECT_EQ(written(msr::kMtrrDefType, 0xc06), 0xc06u);
  EXPECT_EQ(written(msr::kMtrrDefType, 0xc02), fault);  // no such type
  EXPECT_EQ(written(msr::kMtrrDefType, 0x1c06), fault);
  EXPECT_EQ(written(msr::kMtrrPhysBase0 + 2, 0xffc0000000 | 6), 0xffc0000000 | 6u);
  EXPECT_EQ(written(msr::kMtrrPhysBase0 + 3, 0xffc0000000 | 0x800), 0xffc0000000 | 0x800u);
  EXPECT_EQ(written(msr::kMtrrPhysBase0 + 3, 0xffc0000000 | 6), fault);
  EXPECT_EQ(written(msr::kMtrrPhysBase0, bit(model_.physical_address_bits)), fault);
  EXPECT_EQ(written(msr::kMtrrPhysBase0 + 16, 0), fault);  // eight ranges
  EXPECT_EQ(written(msr::kMtrrFix4k + 7, 0x0606060605050505), 0x0606060605050505u);
  EXPECT_EQ(written(msr::kMtrrFix16k + 1, 0x0606060602060606), fault);
  EXPECT_EQ(written(msr::kMtrrCap, 0), fault);
}

TEST_F(TcgSystem, MachineCheckBanksAreThereAndEmpty) {
  handle(kGeneralProtection, {0x48, 0xc7, 0xc0, 0x0d, 0, 0, 0, 0x31, 0xd2, kHlt});  // RAX = 13
  const auto written = [&](u32 index, u64 value) {
    const X86State after = run(write_and_read(index, value));
    return after.gpr[kRax] | after.gpr[kRdx] << 32;
  };
  EXPECT_EQ(written(msr::kMc0Ctl + 16, ~u64{0} ^ bit(10)), ~u64{0} ^ bit(10));
  EXPECT_EQ(written(msr::kMc0Ctl + 1, 0), 0u);
  EXPECT_EQ(written(msr::kMc0Ctl + 1, 1), 13u);   // a status can only be cleared
  EXPECT_EQ(written(msr::kMc0Ctl + 20, 0), 13u);  // five banks
  EXPECT_EQ(written(msr::kMcgCap, 0), 13u);
  // MOV RAX, CR4; OR EAX, 40h; MOV CR4, RAX
  EXPECT_EQ(run({0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x40, 0x0f, 0x22, 0xe0}).cr4, cr4::kPae | cr4::kMce);
}

TEST_F(TcgSystem, CpuidHasNoApicWhileApicBaseDisablesIt) {
  const std::vector<u8> cpuid = {0xb8, 1, 0, 0, 0, 0x0f, 0xa2};
  EXPECT_NE(run(cpuid).gpr[kRdx] & bit(9), 0u);
  port_.apic_base = msr::kApicBaseDefault;
  EXPECT_EQ(run(cpuid).gpr[kRdx] & bit(9), 0u);
}

// IRET's RF is for one instruction, breakpoints or not: it must not cover one that is set later.
TEST_F(TcgSystem, RfOfAnIretIsGoneWhenABreakpointIsSetLater) {
  // inc rbx; mov r8, [rsp+16]; or qword [rsp+16], RF; iretq
  handle(kDebugException, {0x48, 0xff, 0xc3, 0x4c, 0x8b, 0x44, 0x24, 0x10, 0x48, 0x81, 0x4c, 0x24,
                           0x10, 0x00, 0x00, 0x01, 0x00, 0x48, 0xcf});
  const X86State end = run({0x31, 0xc0, 0x48, 0x89, 0xe1, 0x50, 0x51,        // SS 0, RSP
                            0x68, 0x02, 0x00, 0x01, 0x00, 0x6a, 0x08,        // RF, CS
                            0x68, 0x15, 0x30, 0x00, 0x00, 0x48, 0xcf,        // 3015h; iretq
                            0x90, 0xb8, 0x26, 0x30, 0x00, 0x00, 0x0f, 0x23,  // DR0 = 3026h
                            0xc0, 0xb8, 0x02, 0x04, 0x00, 0x00, 0x0f, 0x23,  // DR7 = G0
                            0xf8, 0x90});
  EXPECT_EQ(end.gpr[kRbx], 1u);
}

TEST_F(TcgSystem, SoftwareInterruptsSaveRfClearAfterAnIretThatSetIt) {
  handle(kBreakpoint, {0x4c, 0x8b, 0x44, 0x24, 0x10, 0x48, 0xcf});  // mov r8, [rsp+16]; iretq
  const X86State end = run({0x31, 0xc0, 0x48, 0x89, 0xe1, 0x50, 0x51, 0x68, 0x02, 0x00, 0x01, 0x00,
                            0x6a, 0x08, 0x68, 0x15, 0x30, 0x00, 0x00, 0x48, 0xcf, 0x90, 0xcc});
  EXPECT_EQ(end.gpr[kR8], 2u);
}

TEST_F(TcgSystem, ASingleStepTrapBehindHltEndsTheHalt) {
  // inc rbx; and dword [rsp+16], ~TF; iretq
  handle(kDebugException,
         {0x48, 0xff, 0xc3, 0x81, 0x64, 0x24, 0x10, 0xff, 0xfe, 0xff, 0xff, 0x48, 0xcf});
  // pushfq; pop rax; or ah, 1; push rax; popfq; hlt; inc rcx
  const X86State end = run({0x9c, 0x58, 0x80, 0xcc, 0x01, 0x50, 0x9d, 0xf4, 0x48, 0xff, 0xc1});
  EXPECT_EQ(end.gpr[kRbx], 1u);
  EXPECT_EQ(end.gpr[kRcx], 1u);
}

TEST_F(TcgSystem, AWatchpointThatMovSsPutsOffIsTakenInTheHandlerOfTheNextInt) {
  handle(kDebugException,
         {0x48, 0xff, 0xc3, 0x48, 0x8b, 0x0c, 0x24, 0x48, 0xcf});  // inc rbx; mov rcx, [rsp]
  handle(kBreakpoint, {0x48, 0x89, 0xd8, 0x48, 0xcf});             // mov rax, rbx
  // DR0 = kData; DR7: L0, reads and writes, 4 bytes; mov ss, [kData]; int3
  const X86State end =
      run({0xb8, 0x00, 0x50, 0x00, 0x00, 0x0f, 0x23, 0xc0, 0xb8, 0x01, 0x04, 0x0f,
           0x00, 0x0f, 0x23, 0xf8, 0x8e, 0x14, 0x25, 0x00, 0x50, 0x00, 0x00, 0xcc});
  EXPECT_EQ(end.gpr[kRbx], 1u);
  EXPECT_EQ(end.gpr[kRax], 1u);                             // #DB came first
  EXPECT_EQ(end.gpr[kRcx], kHandlers + kBreakpoint * 16u);  // and found INT3 delivered
}

TEST_F(TcgSystem, AStateThatUsesWhatTheModelHasNotIsRefused) {
  const X86State good = state_;
  EXPECT_TRUE(vcpu_->set_state(good));
  state_.cr4 |= u64{1} << 23;  // CET
  const Result<> by_cr4 = vcpu_->set_state(state_);
  ASSERT_FALSE(by_cr4);
  EXPECT_EQ(by_cr4.error().kind, ErrorKind::kUnavailable);
  state_ = good;
  state_.fpu.xcr0 = 1 | u64{1} << 18;  // TILEDATA
  EXPECT_FALSE(vcpu_->set_state(state_));
}

TEST_F(TcgSystem, AnLdtAtANonCanonicalBaseIsRefused) {
  put(kGdt + 0x20, 0x0000820000000067);
  put(kGdt + 0x28, 0xaaaaaaaa);
  handle(kGeneralProtection, {0x5b, 0xf4});                                    // pop rbx; hlt
  const X86State end = run({0xb8, 0x20, 0x00, 0x00, 0x00, 0x0f, 0x00, 0xd0});  // lldt ax
  EXPECT_EQ(end.gpr[kRbx], 0x20u);
}

TEST_F(TcgSystem, AGsThatIretMakesNullKeepsItsBase) {
  put(kGdt + 0x28, 0x0020fa0000000000);  // user code
  put(kGdt + 0x30, 0x0000f20000000000);  // user data
  put(kGdt + 0x38, 0x0000920000000000);  // data of CPL 0
  put(kData, 0x1234);
  handle(kGeneralProtection, {0xf4});  // for the user's HLT
  const X86State end =
      run({0xb8, 0x38, 0x00, 0x00, 0x00, 0x8e, 0xe8, 0xb9, 0x01, 0x01, 0x00,
           0xc0, 0xb8, 0x00, 0x50, 0x00, 0x00, 0x31, 0xd2, 0x0f, 0x30,        // GS_BASE = kData
           0x6a, 0x33, 0x68, 0x00, 0xf8, 0x02, 0x00, 0x6a, 0x02, 0x6a, 0x2b,  // SS:RSP, RFLAGS, CS
           0x68, 0x27, 0x30, 0x00, 0x00, 0x48, 0xcf,                          // 3027h; iretq
           0x65, 0x48, 0x8b, 0x1c, 0x25, 0x00, 0x00, 0x00, 0x00, 0x8c, 0xe8});
  EXPECT_EQ(end.gpr[kRbx], 0x1234u);
  EXPECT_EQ(end.gpr[kRax], 0u);
}

}  // namespace
}  // namespace kite
