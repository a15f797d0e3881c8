// Guest code in every mode, its ports and its registers.
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

using Accesses = std::vector<Access>;

TEST_F(KvmGuest, RealModeRunsToHlt) {
  put(kProgram, {0xb8, 0x34, 0x12,  // mov ax, 1234h
                 0xf4});            // hlt
  run_to_halt(real_mode());
  X86State state = vcpu->state();
  EXPECT_EQ(state.gpr[kRax] & 0xffff, 0x1234u);
  EXPECT_EQ(state.rip, kProgram + 4);
  EXPECT_EQ(state.mp_state, MpState::kHalted);
}

TEST_F(KvmGuest, ProtectedModeRuns) {
  put(kProgram, {0xb8, 0x78, 0x56, 0x34, 0x12, 0xf4});  // mov eax, 12345678h; hlt
  run_to_halt(protected_mode());
  EXPECT_EQ(vcpu->state().gpr[kRax], 0x12345678u);
}

TEST_F(KvmGuest, LongModeRuns) {
  put(kProgram, {0x48, 0xb8, 8, 7, 6, 5, 4, 3, 2, 1,  // mov rax, 0102030405060708h
                 0x49, 0x89, 0xc7, 0xf4});            // mov r15, rax; hlt
  run_to_halt(long_mode());
  EXPECT_EQ(vcpu->state().gpr[kR15], 0x0102030405060708u);
}

TEST_F(KvmGuest, PortsAreWrittenInEveryWidth) {
  put(kProgram, {0x66, 0xb8, 0x44, 0x33, 0x22, 0x11,  // mov eax, 11223344h
                 0xe6, 0x81,                          // out 81h, al
                 0xe7, 0x82,                          // out 82h, ax
                 0x66, 0xe7, 0x84, 0xf4});            // out 84h, eax; hlt
  run_to_halt(real_mode());
  EXPECT_EQ(port_recorder.seen,
            (Accesses{{true, 1, 0x44, 1}, {true, 2, 0x3344, 2}, {true, 4, 0x11223344, 4}}));
}

TEST_F(KvmGuest, PortsAreReadInEveryWidth) {
  port_recorder.answers = {0x5a, 0x1234, 0x89abcdef};
  put(kProgram, {0xe4, 0x81, 0xa2, 0x00, 0x20,              // in al, 81h; mov [2000h], al
                 0xe5, 0x82, 0xa3, 0x02, 0x20,              // in ax, 82h; mov [2002h], ax
                 0x66, 0xe5, 0x84, 0x66, 0xa3, 0x04, 0x20,  // in eax, 84h; mov [2004h], eax
                 0xf4});
  run_to_halt(real_mode());
  EXPECT_EQ(memory.read_value(0x2000, 1), 0x5au);
  EXPECT_EQ(memory.read_value(0x2002, 2), 0x1234u);
  EXPECT_EQ(memory.read_value(0x2004, 4), 0x89abcdefu);
}

TEST_F(KvmGuest, StringOutputGoesOutElementByElement) {
  put(kProgram, {0xfc, 0xbe, 0x00, 0x20, 0xb9, 0x03, 0x00,  // cld; mov si, 2000h; mov cx, 3
                 0xba, 0x80, 0x00, 0xf3, 0x6f, 0xf4});      // mov dx, 80h; rep outsw; hlt
  put(0x2000, {1, 2, 3, 4, 5, 6});
  run_to_halt(real_mode());
  EXPECT_EQ(port_recorder.seen,
            (Accesses{{true, 0, 0x0201, 2}, {true, 0, 0x0403, 2}, {true, 0, 0x0605, 2}}));
  EXPECT_EQ(vcpu->state().gpr[kRcx] & 0xffff, 0u);
  EXPECT_EQ(vcpu->state().gpr[kRsi] & 0xffff, 0x2006u);
}

TEST_F(KvmGuest, StringInputComesInElementByElement) {
  port_recorder.answers = {1, 2, 3, 4, 5};
  put(kProgram, {0xfc, 0xbf, 0x00, 0x20, 0xb9, 0x05, 0x00,  // cld; mov di, 2000h; mov cx, 5
                 0xba, 0x80, 0x00, 0xf3, 0x6c, 0xf4});      // mov dx, 80h; rep insb; hlt
  run_to_halt(real_mode());
  EXPECT_EQ(memory.read_value(0x2000, 4), 0x04030201u);
  EXPECT_EQ(memory.read_value(0x2004, 1), 5u);
}

TEST_F(KvmGuest, RegistersAreWrittenInEveryWidth) {
  put(kProgram, {0x48, 0xb8, 8,    7,    6,   5, 4, 3, 2, 1,  // mov rax, 0102030405060708h
                 0x88, 0x07,                                  // mov [rdi], al
                 0x66, 0x89, 0x47, 0x02,                      // mov [rdi+2], ax
                 0x89, 0x47, 0x04,                            // mov [rdi+4], eax
                 0x48, 0x89, 0x47, 0x08, 0xf4});              // mov [rdi+8], rax; hlt
  X86State state = long_mode();
  state.gpr[kRdi] = kRegisters;
  run_to_halt(state);
  EXPECT_EQ(registers.seen, (Accesses{{true, 0, 0x08, 1},
                                      {true, 2, 0x0708, 2},
                                      {true, 4, 0x05060708, 4},
                                      {true, 8, 0x0102030405060708, 8}}));
}

TEST_F(KvmGuest, RegistersAreReadInEveryWidth) {
  registers.answers = {0x11, 0x2222, 0x33333333, 0x4444444444444444};
  put(kProgram, {0x8a, 0x07,                      // mov al, [rdi]
                 0x66, 0x8b, 0x4f, 0x02,          // mov cx, [rdi+2]
                 0x8b, 0x57, 0x04,                // mov edx, [rdi+4]
                 0x48, 0x8b, 0x5f, 0x08, 0xf4});  // mov rbx, [rdi+8]; hlt
  X86State state = long_mode();
  state.gpr[kRdi] = kRegisters;
  run_to_halt(state);
  X86State end = vcpu->state();
  EXPECT_EQ(end.gpr[kRax] & 0xff, 0x11u);
  EXPECT_EQ(end.gpr[kRcx] & 0xffff, 0x2222u);
  EXPECT_EQ(end.gpr[kRdx], 0x33333333u);
  EXPECT_EQ(end.gpr[kRbx], 0x4444444444444444u);
}

TEST_F(KvmGuest, WhereNothingIsMappedReadsAllOnes) {
  put(kProgram, {0x8b, 0x07, 0xf4});  // mov eax, [rdi]; hlt
  X86State state = long_mode();
  state.gpr[kRdi] = 0xe0000000;
  run_to_halt(state);
  EXPECT_EQ(vcpu->state().gpr[kRax], 0xffffffffu);
}

TEST_F(KvmGuest, ATripleFaultIsAShutdown) {
  put(kProgram, {0x0f, 0x0b});  // ud2
  X86State state = protected_mode();
  state.idtr = {.base = 0, .limit = 0};
  ASSERT_TRUE(vcpu->set_state(state));
  EXPECT_EQ(run().kind, Exit::Kind::kShutdown);
}

TEST_F(KvmGuest, WhatKvmCannotExecuteIsSaidWithItsAddress) {
  X86State state = protected_mode();
  state.rip = kRegisters;  // code in a device's registers
  ASSERT_TRUE(vcpu->set_state(state));
  auto exit = vcpu->run(clock.now() + 10 * kSecond);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->kind, Exit::Kind::kUnable);
  const Error error = vcpu->why_unable();
  EXPECT_EQ(error.kind, ErrorKind::kInternal);
  EXPECT_NE(error.message.find("RIP 0xd0000000"), std::string::npos) << error.message;
}

TEST_F(KvmGuest, CpuidIsTheModels) {
  put(kProgram, {0xb8, 0, 0, 0, 0, 0x0f, 0xa2, 0xf4});  // mov eax, 0; cpuid; hlt
  run_to_halt(protected_mode());
  X86State state = vcpu->state();
  CpuidLeaf leaf = model.leaf(0, 0);
  EXPECT_EQ(state.gpr[kRbx], leaf.ebx);
  EXPECT_EQ(state.gpr[kRdx], leaf.edx);
  EXPECT_EQ(state.gpr[kRcx], leaf.ecx);
}

TEST_F(KvmGuest, HaltWithInterruptsOffStaysHalted) {
  put(kProgram, {0xfa, 0xf4, 0xf4});
  ASSERT_TRUE(vcpu->set_state(real_mode()));
  for (int i = 0; i < 3; ++i) {
    Exit exit = run();
    EXPECT_EQ(exit.kind, Exit::Kind::kHalted);
    EXPECT_FALSE(exit.interrupts_enabled);
  }
  EXPECT_EQ(vcpu->state().rip, kProgram + 2);
}

}  // namespace
}  // namespace kite
