// Exceptions: the right vector, error code and return address (SDM 3A 6.15).
#include "firmware/selftest/selftest.h"

extern "C" char user_halt_begin[], user_halt_end[];

namespace selftest {

namespace {

void expect(const Trap& trap, u64 vector, u64 error, const char* what) {
  const u64 got = trap.frame.vector == kNoTrap ? ~0ull : trap.frame.vector << 32 | trap.frame.error;
  check_same(got, vector << 32 | error, what);
}

u64 wanted_rip;  // where the last probe expects its trap

// Marks the address of the label 1 in the asm text that follows.
#define MARK "leaq 1f(%%rip), %%rax; movq %%rax, %0; "

void test_faults() {
  Trap trap = probe([] {
    asm volatile(MARK "xor %%ecx, %%ecx; 1: div %%ecx" : "=m"(wanted_rip)::"rax", "rcx", "rdx");
  });
  expect(trap, 0, 0, "exception: #DE by DIV");
  check_same(trap.frame.rip, wanted_rip, "exception: #DE points at DIV");
  trap = probe([] { asm volatile(MARK "1: ud2" : "=m"(wanted_rip)::"rax"); });
  expect(trap, 6, 0, "exception: #UD by UD2");
  check_same(trap.frame.rip, wanted_rip, "exception: #UD points at UD2");
  expect(probe([] {
           asm volatile("push $0; push %%rsp; pushfq; push $0; push $0; iretq" ::: "memory");
         }),
         13, 0, "exception: #GP by IRET to a null selector");
  expect(probe([] { volatile_read<u64>(0x8000'0000'0000'0000); }), 13, 0,
         "exception: #GP by a non-canonical address");
  expect(probe([] { asm volatile("mov %w0, %%ds" ::"r"(0x1000)); }), 13, 0x1000,
         "exception: #GP by a selector beyond the table");
  expect(probe([] { asm volatile("mov %w0, %%ds" ::"r"(kDataNotPresent)); }), 11, kDataNotPresent,
         "exception: #NP by a segment that is not present");
  expect(probe([] { asm volatile("mov %w0, %%ss" ::"r"(kDataNotPresent)); }), 12, kDataNotPresent,
         "exception: #SS by a stack that is not present");
}

void test_traps() {
  Trap trap = probe([] { asm volatile(MARK "int3; 1: nop" : "=m"(wanted_rip)::"rax"); });
  expect(trap, 3, 0, "exception: #BP by INT3");
  check_same(trap.frame.rip, wanted_rip, "exception: #BP points behind INT3");
  trap = probe([] {
    asm volatile(MARK "pushfq; orl $0x100, (%%rsp); popfq; nop; 1: nop" : "=m"(wanted_rip)::"rax");
  });
  expect(trap, 1, 0, "exception: #DB by single step");
  check_same(trap.frame.rip, wanted_rip, "exception: single step stops behind one instruction");
  check_same(trap.dr6 & 0xe00f, 0x4000, "exception: DR6.BS");
  write_dr6(0xffff0ff0);
}

void test_device_not_available() {
  write_cr0(read_cr0() | 8);
  const Trap trap = probe([] { asm volatile("fld1"); });
  asm volatile("clts");
  expect(trap, 7, 0, "exception: #NM by CR0.TS");
}

void test_user() {
  constexpr u64 kCode = kWindow + 0x30000, kStack = kWindow + 0x31000;
  asm volatile(
      "jmp 2f\n"
      "user_halt_begin: hlt; nop\n"
      "user_halt_end: 2:" ::);
  map_code(kCode, user_halt_begin, user_halt_end);
  map(kStack, new_page(), kPresent | kWritable | kUser);
  const Trap trap = probe_user(kCode, kStack + 4096);
  expect(trap, 13, 0, "exception: #GP by HLT in user mode");
  check_same(trap.frame.cs << 16 | trap.frame.ss, kUserCode << 16 | kUserData,
             "exception: the user's selectors are saved");
  check_same(trap.frame.rsp, kStack + 4096, "exception: the user's RSP is saved");
}

}  // namespace

void test_exceptions() {
  test_faults();
  test_traps();
  test_device_not_available();
  test_user();
}

}  // namespace selftest
