// SYSCALL and SYSRET, from 64-bit user code and back.
#include "tests/guests/expect.h"

using namespace guest;

// The user calls the kernel twice; the kernel returns by SYSRET the first time and traps the
// second.
extern "C" char syscall_user[], syscall_user_end[], syscall_kernel[];
extern "C" u64 syscall_seen[8];
u64 syscall_seen[8];
asm(R"(
syscall_user:
  mov $0x1111, %edi
  syscall
syscall_back:
  pushfq
  pop %rsi
  mov %cs, %edx
  mov %ss, %r8d
  mov $0x2222, %edi
  syscall
syscall_user_end:
syscall_kernel:
  pushfq
  pop %rbp
  cmp $0x2222, %edi
  je 1f
  mov %rbp, syscall_seen+16
  mov %rcx, syscall_seen
  mov %r11, syscall_seen+8
  movl %cs, %eax
  mov %eax, syscall_seen+24
  movl %ss, %eax
  mov %eax, syscall_seen+32
  sysretq
1:ud2
)");

namespace {
constexpr u64 kCode = kWindow, kStack = kWindow + 0x1000;
constexpr u32 kStar = 0xc000'0081, kLstar = 0xc000'0082, kMask = 0xc000'0084, kEfer = 0xc000'0080;
}  // namespace

int guest_main() {
  map_code(kCode, syscall_user, syscall_user_end);
  map(kStack, new_page(), kPresent | kWritable | kUser);
  write_msr(kStar, u64{0x1b} << 48 | u64{kKernelCode} << 32);
  write_msr(kLstar, reinterpret_cast<u64>(syscall_kernel));
  write_msr(kMask, 0x4d5);  // clears DF and the arithmetic flags
  const Trap trap = probe_user(kCode, kStack + 0x1000, 0xc97);
  EXPECT_SAME(what_trapped(trap), fault(6));
  EXPECT_SAME(trap.frame.rip > reinterpret_cast<u64>(syscall_kernel), 1);
  EXPECT_SAME(syscall_seen[0], kCode + 7);
  EXPECT_SAME(syscall_seen[1], 0xc97);
  EXPECT_SAME(syscall_seen[2] & 0xcd5, 0x800);
  EXPECT_SAME(syscall_seen[3], kKernelCode);
  EXPECT_SAME(syscall_seen[4], kKernelData);
  EXPECT_SAME(trap.frame.rsi & 0xcd5, 0xc95);
  EXPECT_SAME(trap.frame.rdx, kUserCode);
  EXPECT_SAME(trap.frame.r8, kUserData);
  EXPECT_SAME(trap.frame.cs, kKernelCode);
  // Without EFER.SCE the instruction does not exist.
  write_msr(kEfer, read_msr(kEfer) & ~1ull);
  const Trap off = probe_user(kCode, kStack + 0x1000);
  EXPECT_SAME(what_trapped(off), fault(6));
  EXPECT_SAME(off.frame.rip, kCode + 5);
  EXPECT_SAME(off.frame.cs, kUserCode);
  return 0;
}
