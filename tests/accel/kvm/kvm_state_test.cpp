// State in and out, and what probe() says.
#include <filesystem>

#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

TEST_F(KvmGuest, StateComesBackAsItWasSet) {
  X86State state = long_mode();
  for (unsigned i = 0; i < 16; ++i) state.gpr[i] = 0x0101010101010101 * (i + 1);
  state.rflags |= rflags::kCf | rflags::kOf | rflags::kId;
  state.star = 0x0023001000000000;
  state.lstar = 0xffffffff81000000;
  state.sfmask = 0x47700;
  state.kernel_gs_base = 0xffff888000000000;
  state.sysenter_cs = 0x10;
  state.sysenter_esp = 0xffffc00000001000;
  state.sysenter_eip = 0xffffffff81001000;
  state.segments[kFs].base = 0x7fff12345678;
  state.gdtr = {.base = 0xffff800000001000, .limit = 0x7f};
  state.idtr = {.base = 0xffff800000002000, .limit = 0xfff};
  state.cr2 = 0xdeadbeef;
  state.dr = {0x1000, 0x2000, 0x3000, 0x4000};
  state.dr7 = 0x401;
  state.fpu.fcw = 0x37f;
  state.fpu.ftw = 0xff;
  state.fpu.mxcsr = 0x1fa0;
  state.fpu.xcr0 = xcr0::kX87 | xcr0::kSse;
  for (unsigned i = 0; i < 16; ++i)
    state.fpu.zmm[i].fill(0), state.fpu.zmm[i][0] = static_cast<u8>(i + 1);
  for (unsigned i = 0; i < 8; ++i)
    state.fpu.st[i][7] = 0x80, state.fpu.st[i][8] = static_cast<u8>(i);
  state.pending.nmi_blocked = true;
  ASSERT_TRUE(vcpu->set_state(state));
  X86State back = vcpu->state();
  EXPECT_EQ(back.gpr, state.gpr);
  EXPECT_EQ(back.rip, state.rip);
  EXPECT_EQ(back.rflags, state.rflags);
  EXPECT_EQ(back.segments, state.segments);
  EXPECT_EQ(back.gdtr, state.gdtr);
  EXPECT_EQ(back.idtr, state.idtr);
  EXPECT_EQ(back.cr0, state.cr0);
  EXPECT_EQ(back.cr2, state.cr2);
  EXPECT_EQ(back.cr3, state.cr3);
  EXPECT_EQ(back.cr4, state.cr4);
  EXPECT_EQ(back.efer, state.efer);
  EXPECT_EQ(back.dr, state.dr);
  EXPECT_EQ(back.dr7, state.dr7);
  EXPECT_EQ(back.star, state.star);
  EXPECT_EQ(back.lstar, state.lstar);
  EXPECT_EQ(back.sfmask, state.sfmask);
  EXPECT_EQ(back.kernel_gs_base, state.kernel_gs_base);
  EXPECT_EQ(back.sysenter_eip, state.sysenter_eip);
  EXPECT_EQ(back.fpu, state.fpu);
  EXPECT_EQ(back.pending, state.pending);
}

TEST_F(KvmGuest, APendingExceptionIsDeliveredFirst) {
  put(4 * 3, {0x00, 0x20, 0, 0});
  put(0x2000, {0xf4});
  put(kProgram, {0xb0, 0x01, 0xf4});  // mov al, 1; hlt
  X86State state = real_mode();
  state.pending.exception = true;
  state.pending.vector = 3;
  run_to_halt(state);
  EXPECT_EQ(vcpu->state().rip, 0x2001u);
  EXPECT_EQ(vcpu->state().gpr[kRax], 0u);
}

TEST(KvmProbe, AMissingDeviceIsSaidToBeMissing) {
  auto usable = probe_kvm("/nonexistent/kvm");
  ASSERT_FALSE(usable);
  EXPECT_EQ(usable.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(usable.error().message.find("does not exist"), std::string::npos);
}

TEST(KvmProbe, AnotherDeviceIsNoKvm) {
  auto usable = probe_kvm("/dev/null");
  ASSERT_FALSE(usable);
  EXPECT_NE(usable.error().message.find("is not a KVM device"), std::string::npos);
}

}  // namespace
}  // namespace kite
