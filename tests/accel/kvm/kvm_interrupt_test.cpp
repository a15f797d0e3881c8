// Interrupts, NMI, INIT and SIPI, the task priority, and the local APIC's MSRs.
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

class KvmInterrupts : public KvmGuest {
 protected:
  // Vector 20h and NMI write AL to a port and return.
  void put_handlers() {
    put(0x2000, {0xe6, 0x80, 0xcf});  // out 80h, al; iret
    put(4 * 0x20, {0x00, 0x20, 0, 0});
    put(0x2010, {0xe6, 0x81, 0xcf});  // out 81h, al; iret
    put(4 * 2, {0x10, 0x20, 0, 0});
  }
};

TEST_F(KvmInterrupts, AWaitingInterruptIsDeliveredOnceTheGuestAllowsIt) {
  put_handlers();
  put(kProgram, {0xfa, 0xb0, 0x07, 0x90,              // cli; mov al, 7; nop
                 0xfb, 0xb9, 0x00, 0x40, 0xe2, 0xfe,  // sti; mov cx, 4000h; loop $
                 0xfa, 0xf4});                        // cli; hlt
  interrupts.waiting = 1;
  vcpu->signal(Signal::kInterrupt, 0);
  run_to_halt(real_mode());
  EXPECT_EQ(interrupts.acknowledged, 1);
  EXPECT_EQ(port_recorder.seen, (std::vector<Access>{{true, 0, 7, 1}}));
}

TEST_F(KvmInterrupts, SeveralWaitingInterruptsAreDeliveredOneAfterTheOther) {
  put_handlers();
  put(kProgram, {0xfb, 0xb9, 0x00, 0x40, 0xe2, 0xfe,  // sti; mov cx, 4000h; loop $
                 0xfa, 0xf4});                        // cli; hlt
  interrupts.waiting = 3;
  run_to_halt(real_mode());
  EXPECT_EQ(interrupts.acknowledged, 3);
  EXPECT_EQ(port_recorder.seen.size(), 3u);
}

// Behind a port write that raises an interrupt, KVM went on for as long as it likes to interpret:
// CLI came first.
TEST_F(KvmInterrupts, AnInterruptThatAPortWriteRaisesComesBeforeTheNextInstruction) {
  struct Raiser : Recorder {
    Raiser(FakeInterrupts& interrupts, Vcpu& vcpu) : interrupts(interrupts), vcpu(vcpu) {}
    void write(u64, u64, unsigned) override {
      interrupts.waiting = 1;
      vcpu.signal(Signal::kInterrupt, 0);
    }
    FakeInterrupts& interrupts;
    Vcpu& vcpu;
  } raiser(interrupts, *vcpu);
  ASSERT_TRUE(ports.map("raiser", 0x90, 1, raiser));
  put_handlers();
  put(kProgram, {0xfb, 0x90, 0xb0, 0x03,  // sti; nop; mov al, 3
                 0xe6, 0x90, 0xb0, 0x07,  // out 90h, al; mov al, 7
                 0xfa, 0xf4});            // cli; hlt
  run_to_halt(real_mode());
  EXPECT_EQ(port_recorder.seen, (std::vector<Access>{{true, 0, 3, 1}}));
}

TEST_F(KvmInterrupts, AnInterruptEndsHlt) {
  put_handlers();
  put(kProgram, {0xfb, 0xf4, 0xfa, 0xf4});  // sti; hlt; cli; hlt
  ASSERT_TRUE(vcpu->set_state(real_mode()));
  Exit exit = run();
  ASSERT_EQ(exit.kind, Exit::Kind::kHalted);
  EXPECT_TRUE(exit.interrupts_enabled);
  EXPECT_EQ(run().kind, Exit::Kind::kHalted);  // nothing came
  EXPECT_TRUE(port_recorder.seen.empty());
  interrupts.waiting = 1;
  vcpu->signal(Signal::kInterrupt, 0);
  exit = run();
  EXPECT_EQ(exit.kind, Exit::Kind::kHalted);
  EXPECT_FALSE(exit.interrupts_enabled);
  EXPECT_EQ(port_recorder.seen.size(), 1u);
  EXPECT_EQ(vcpu->state().rip, kProgram + 4);
}

// A guest that was moved here in HLT woke without its interrupt: CLI ran first.
TEST_F(KvmInterrupts, AnInterruptEndsTheHltOfAStateThatWasSetBeforeAnythingElseRuns) {
  put_handlers();
  put(kProgram, {0xfa, 0xb0, 0x07, 0xf4});  // cli; mov al, 7; hlt
  X86State state = real_mode();
  state.rflags |= rflags::kIf;
  state.gpr[kRax] = 3;
  state.mp_state = MpState::kHalted;
  interrupts.waiting = 1;
  run_to_halt(state);
  EXPECT_EQ(port_recorder.seen, (std::vector<Access>{{true, 0, 3, 1}}));
}

TEST_F(KvmInterrupts, AnNmiEndsHltWithInterruptsOff) {
  put_handlers();
  put(kProgram, {0xfa, 0xf4, 0xf4});
  run_to_halt(real_mode());
  vcpu->signal(Signal::kNmi, 0);
  EXPECT_EQ(run().kind, Exit::Kind::kHalted);
  EXPECT_EQ(port_recorder.seen.size(), 1u);
  EXPECT_EQ(port_recorder.seen.at(0).offset, 1u);
  EXPECT_EQ(vcpu->state().rip, kProgram + 3);
}

TEST_F(KvmInterrupts, SipiStartsAProcessorThatWaits) {
  put(0x5000, {0x8c, 0xc8, 0xf4});  // mov ax, cs; hlt
  auto second = accelerator->create_vcpu({.index = 1, .apic_id = 1, .interrupts = &interrupts});
  ASSERT_TRUE(second) << second.error().message;
  vcpu = std::move(*second);
  X86State state = X86State::after_reset();
  state.mp_state = MpState::kWaitForSipi;
  ASSERT_TRUE(vcpu->set_state(state));
  EXPECT_EQ(run().kind, Exit::Kind::kHalted);
  EXPECT_EQ(vcpu->state().mp_state, MpState::kWaitForSipi);
  vcpu->signal(Signal::kInit, 0);
  vcpu->signal(Signal::kSipi, 5);
  EXPECT_EQ(run().kind, Exit::Kind::kHalted);
  EXPECT_EQ(vcpu->state().gpr[kRax] & 0xffff, 0x500u);
  EXPECT_EQ(vcpu->state().rip, 3u);
}

TEST_F(KvmInterrupts, Cr8IsTheInterruptControllersTaskPriority) {
  interrupts.task_priority = 3;
  put(kProgram, {0x44, 0x0f, 0x20, 0xc0,          // mov rax, cr8
                 0xb9, 0x05, 0x00, 0x00, 0x00,    // mov ecx, 5
                 0x44, 0x0f, 0x22, 0xc1, 0xf4});  // mov cr8, rcx; hlt
  run_to_halt(long_mode());
  EXPECT_EQ(vcpu->state().gpr[kRax], 3u);
  EXPECT_EQ(interrupts.task_priority, 5);
}

TEST_F(KvmInterrupts, X2apicRegistersAreTheInterruptControllers) {
  put(kProgram, {0xb9, 0x02, 0x08, 0x00, 0x00, 0x0f, 0x32, 0xf4});  // mov ecx, 802h; rdmsr; hlt
  run_to_halt(long_mode());
  EXPECT_EQ(vcpu->state().gpr[kRax], 0x1234u);
}

// The guest is told of no TSC-deadline mode here. Where KVM's short cut takes the write of one that
// uses it all the same, nothing happens; else it is #GP.
TEST_F(KvmInterrupts, ATscDeadlineDoesNotReachTheInterruptController) {
  put(0x2000, {0xf4});  // #GP: hlt
  put(4 * 13, {0x00, 0x20, 0, 0});
  put(kProgram, {0x66, 0xb9, 0xe0, 0x06, 0x00, 0x00,  // mov ecx, 6e0h
                 0x66, 0xb8, 0x01, 0x00, 0x00, 0x00,  // mov eax, 1
                 0x66, 0x31, 0xd2, 0x0f, 0x30,        // xor edx, edx; wrmsr
                 0xf4});                              // hlt
  run_to_halt(real_mode());
  EXPECT_EQ(interrupts.last_deadline, 0u);
  const u64 rip = vcpu->state().rip;
  EXPECT_TRUE(rip == 0x2001 || rip == kProgram + 18) << std::hex << rip;
}

}  // namespace
}  // namespace kite
