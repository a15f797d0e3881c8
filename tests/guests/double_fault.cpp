// A page fault whose gate is not present becomes a double fault, on its own stack.
#include "tests/guests/expect.h"

using namespace guest;

extern "C" char trap_doors[];

int guest_main() {
  set_gate(14, reinterpret_cast<void (*)()>(trap_doors + 14 * 16), 0x0e);  // not present
  set_gate(11, reinterpret_cast<void (*)()>(trap_doors + 11 * 16), 0x0e);  // nor is #NP's
  const Trap trap = probe([] { volatile_read<u64>(kWindow); });
  EXPECT_SAME(what_trapped(trap), fault(8));
  EXPECT_SAME(trap.cr2, kWindow);
  // With #NP's gate in place, #NP while delivering #PF is a double fault as well (SDM 3A 6-5).
  set_gate(11, reinterpret_cast<void (*)()>(trap_doors + 11 * 16), 0x8e);
  EXPECT_SAME(what_trapped(probe([] { volatile_read<u64>(kWindow); })), fault(8));
  // But a benign first exception gives way to the second.
  set_gate(3, reinterpret_cast<void (*)()>(trap_doors + 3 * 16), 0x0e);
  EXPECT_SAME(what_trapped(probe([] { asm volatile("int3"); })), fault(11, 3 * 8 + 2));
  // A stack that is not mapped: #PF while pushing #UD's frame is reported as #PF.
  set_gate(14, reinterpret_cast<void (*)()>(trap_doors + 14 * 16), 0x8e, 1);
  const Trap stack = probe([] { asm volatile("mov %0, %%rsp; ud2" ::"r"(kWindow + 0x800)); });
  EXPECT_SAME(what_trapped(stack), fault(14, 2));
  return 0;
}
