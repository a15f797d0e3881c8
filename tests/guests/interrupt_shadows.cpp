// Where a waiting interrupt comes in: one instruction after STI, at once after POPF, after HLT.
// (SDM 2B "STI"; MOV SS's shadow is in single_step.cpp, where it can be told exactly.)
#include "tests/guests/apic.h"
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u8 kVector = 0x50;
u64 interrupted_rip;

void on_interrupt(Frame& frame) {
  interrupted_rip = frame.rip;
  frame.rflags &= ~0x200ull;
  apic_write(kEndOfInterrupt, 0);
}

void make_interrupt_wait() {
  interrupted_rip = 0;
  interrupt_self(kVector);
  const u32 request = 0x200 + kVector / 32 * 0x10;
  for (int i = 0; i < 100'000 && !has(apic_read(request), kVector % 32); ++i) pause();
}

// Runs `text` with an interrupt waiting: where it came in, in bytes from the label 1.
#define WHERE(text)                                                    \
  ({                                                                   \
    u64 start;                                                         \
    make_interrupt_wait();                                             \
    asm volatile("lea 1f(%%rip), %0; " text : "=&r"(start)::"memory"); \
    interrupted_rip - start;                                           \
  })

}  // namespace

int guest_main() {
  start_apic();
  handlers[kVector] = on_interrupt;
  EXPECT_SAME(WHERE("1: sti; nop; nop; nop; cli"), 2);
  EXPECT_SAME(WHERE("1: sti; hlt; nop; cli"), 2);
  EXPECT_SAME(WHERE("pushfq; orl $0x200, (%%rsp); 1: popfq; nop; nop; cli"), 1);
  // STI's shadow covers the CLI: the interrupt goes on waiting.
  make_interrupt_wait();
  asm volatile("sti; cli; nop" ::: "memory");
  EXPECT_SAME(interrupted_rip, 0);
  asm volatile("sti; nop; nop; cli" ::: "memory");
  EXPECT(interrupted_rip != 0);
  // Task priority holds it back, and lets it go at once.
  asm volatile("mov %0, %%cr8" ::"r"(u64{kVector >> 4}));
  make_interrupt_wait();
  asm volatile("sti; nop; nop; nop" ::: "memory");
  EXPECT_SAME(interrupted_rip, 0);
  asm volatile("mov %0, %%cr8; nop; nop; cli" ::"r"(u64{0}) : "memory");
  EXPECT(interrupted_rip != 0);
  return 0;
}
