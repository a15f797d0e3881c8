// To user mode and back: IRET's checks, INT n through gates of either privilege, IOPL, and what
// user code may not do.
#include "tests/guests/expect.h"

using namespace guest;

extern "C" char trap_doors[], privilege_user[], privilege_user_end[];
extern "C" char privilege_int80[], privilege_int81[], privilege_cli[], privilege_out[],
    privilege_msr[], privilege_cr3[], privilege_popf[], privilege_compat[];
asm(R"(
privilege_user:
privilege_int80: int $0x80
privilege_int81: int $0x81
privilege_cli: cli
  ud2
privilege_out: out %al, $0x80
  ud2
privilege_msr: rdmsr
privilege_cr3: mov %cr3, %rax
privilege_popf:
  push $0x3202 # IOPL 3, IF
  popfq
  pushfq
  pop %rdi
  ud2
privilege_compat: # as 32-bit code: DEC EAX; MOV EAX, 1; UD2
  .byte 0x48, 0xb8, 1, 0, 0, 0, 0x0f, 0x0b, 0, 0
privilege_user_end:
)");

namespace {

constexpr u64 kCode = kWindow, kStack = kWindow + 0x1000;

Trap run(const char* label, u64 rflags = 2) {
  return probe_user(kCode + static_cast<u64>(label - privilege_user), kStack + 0x800, rflags);
}

int gates() {
  char* doors = trap_doors;
  set_gate(0x80, reinterpret_cast<void (*)()>(doors + 0x80 * 16), 0xee);
  Trap trap = run(privilege_int80);
  EXPECT_SAME(what_trapped(trap), fault(0x80));
  EXPECT_SAME(trap.frame.rip, kCode + 2);
  EXPECT_SAME(trap.frame.cs, kUserCode);
  EXPECT_SAME(trap.frame.ss, kUserData);
  EXPECT_SAME(trap.frame.rsp, kStack + 0x800);
  trap = run(privilege_int81);
  EXPECT_SAME(what_trapped(trap), fault(13, 0x81 * 8 + 2));
  EXPECT_SAME(trap.frame.rip, kCode + 2);
  set_gate(0x81, reinterpret_cast<void (*)()>(doors + 0x81 * 16), 0x6e);  // not present
  EXPECT_SAME(what_trapped(run(privilege_int81)), fault(11, 0x81 * 8 + 2));
  return 0;
}

int forbidden() {
  EXPECT_SAME(what_trapped(run(privilege_cli)), fault(13));
  EXPECT_SAME(what_trapped(run(privilege_out)), fault(13));
  EXPECT_SAME(what_trapped(run(privilege_msr)), fault(13));
  EXPECT_SAME(what_trapped(run(privilege_cr3)), fault(13));
  // IOPL 3 allows what it is for.
  EXPECT_SAME(what_trapped(run(privilege_cli, 0x3002)), fault(6));
  EXPECT_SAME(what_trapped(run(privilege_out, 0x3002)), fault(6));
  // POPF quietly leaves IOPL and IF alone.
  const Trap trap = run(privilege_popf);
  EXPECT_SAME(what_trapped(trap), fault(6));
  EXPECT_SAME(trap.frame.rdi & 0x3200, 0);
  return 0;
}

int compatibility_mode() {
  const u64 page = page_entry(kCode) & 0x000f'ffff'ffff'f000;
  constexpr u64 kLow = 0x7000'0000;  // below 4 GiB; a 2 MiB entry there becomes a table
  page_entry(kLow, true) = new_page() | kPresent | kWritable | kUser;
  write_cr3(read_cr3());
  map(kLow, page, kPresent | kUser);
  map(kLow + 0x1000, new_page(), kPresent | kWritable | kUser);
  const u64 entry = kLow + static_cast<u64>(privilege_compat - privilege_user);
  const Trap trap = probe_user(entry, kLow + 0x1800, 2, kUserCode32);
  EXPECT_SAME(what_trapped(trap), fault(6));
  EXPECT_SAME(trap.frame.rip, entry + 6);
  EXPECT_SAME(trap.frame.rax, 1);
  EXPECT_SAME(trap.frame.cs, kUserCode32);
  return 0;
}

int bad_returns() {
  // To a non-canonical address: #GP in the kernel, at the IRET.
  EXPECT_SAME(what_trapped(probe_user(0x8000'0000'0000, kStack)), fault(13));
  // To user code with a kernel stack.
  EXPECT_SAME(what_trapped(probe_user(kCode, kStack, 2, kUserCode, kKernelData)),
              fault(13, kKernelData));
  // To a data segment.
  EXPECT_SAME(what_trapped(probe_user(kCode, kStack, 2, kUserData)), fault(13, kUserData & ~3));
  return 0;
}

}  // namespace

int guest_main() {
  map_code(kCode, privilege_user, privilege_user_end);
  map(kStack, new_page(), kPresent | kWritable | kUser);
  RUN(gates());
  RUN(forbidden());
  RUN(compatibility_mode());
  RUN(bad_returns());
  return 0;
}
