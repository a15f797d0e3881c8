// SYSENTER and SYSEXIT, from 64-bit user code and back.
#include "tests/guests/expect.h"

using namespace guest;

extern "C" char sysenter_user[], sysenter_user_end[], sysenter_kernel[];
extern "C" u64 sysenter_seen[8];
u64 sysenter_seen[8];
asm(R"(
sysenter_user:
  lea sysenter_back(%rip), %rdx # where SYSEXIT goes, and its stack
  mov %rsp, %rcx
  sysenter
sysenter_back:
  mov %cs, %edi
  mov %ss, %esi
  hlt
sysenter_user_end:
sysenter_kernel:
  mov %rsp, sysenter_seen
  movl %cs, %eax
  mov %eax, sysenter_seen+8
  movl %ss, %eax
  mov %eax, sysenter_seen+16
  pushfq
  popq sysenter_seen+24
  sysexitq
)");

namespace {
constexpr u64 kCode = kWindow, kStack = kWindow + 0x1000;
alignas(16) u8 kernel_stack[512];

// An AMD processor has neither in long mode (APM 3 "SYSENTER": #UD).
bool available() {
  return !(cpuid(0).ebx == 0x68747541 && cpuid(0).ecx == 0x444d4163);
}

}  // namespace

int guest_main() {
  if (!has(cpuid(1).edx, 11) || !available()) return 0;
  const u64 stack = reinterpret_cast<u64>(kernel_stack + sizeof kernel_stack);
  map_code(kCode, sysenter_user, sysenter_user_end);
  map(kStack, new_page(), kPresent | kWritable | kUser);
  write_msr(0x174, 0);
  EXPECT_SAME(what_trapped(probe_user(kCode, kStack + 0x800)), fault(13));
  write_msr(0x174, kKernelCode);
  write_msr(0x175, stack);
  write_msr(0x176, reinterpret_cast<u64>(sysenter_kernel));
  const Trap trap = probe_user(kCode, kStack + 0x800, 0x202);
  EXPECT_SAME(what_trapped(trap), fault(13));  // HLT, back in user mode
  EXPECT_SAME(trap.frame.cs, kUserCode);
  EXPECT_SAME(trap.frame.rdi, kUserCode);
  EXPECT_SAME(trap.frame.rsi, 0x33);
  EXPECT_SAME(trap.frame.rsp, kStack + 0x800);
  EXPECT_SAME(sysenter_seen[0], stack);
  EXPECT_SAME(sysenter_seen[1], kKernelCode);
  EXPECT_SAME(sysenter_seen[2], kKernelData);
  EXPECT_SAME(sysenter_seen[3] & 0x200, 0);
  return 0;
}
