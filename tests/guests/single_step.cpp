// TF, RF, MOV SS and what DR6 says.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr unsigned kMost = 16;
u64 steps[kMost];
unsigned step_count;
u64 step_dr6;
bool stop_stepping;

void on_debug(Frame& frame) {
  if (step_count < kMost) steps[step_count++] = frame.rip;
  step_dr6 = read_dr6();
  write_dr6(0xffff0ff0);
  if (step_count >= kMost || stop_stepping) frame.rflags &= ~0x100ull;
}

// Runs `text` with TF on, from label 1 to a POPF that turns it off; `start` is 1's address.
#define STEP(text)                                                                                 \
  step_count = 0;                                                                                  \
  asm volatile("lea 1f(%%rip), %0; pushfq; pushfq; orl $0x100, (%%rsp); popfq; 1: " text "; popfq" \
               : "=&r"(start)                                                                      \
               : "r"(u64{kKernelData}), "r"(scratch)                                               \
               : "rax", "rcx", "rdi", "rsi", "memory", "cc")

int stepping() {
  u64 start, scratch = reinterpret_cast<u64>(steps + kMost - 4);
  // POPF itself does not trap; the instruction behind it does.
  STEP("nop; nop");
  EXPECT_SAME(step_count, 3);  // NOP, NOP, POPF
  EXPECT_SAME(steps[0] - start, 1);
  EXPECT_SAME(steps[1] - start, 2);
  EXPECT_SAME(step_dr6 & 0xe00f, 0x4000);
  // A taken jump, and each turn of a REP instruction, is a step.
  STEP("jmp 2f; nop; nop; 2: nop");
  EXPECT_SAME(steps[0] - start, 4);
  STEP("mov $3, %%ecx; mov %2, %%rdi; mov %2, %%rsi; rep movsb; nop");
  EXPECT_SAME(step_count, 8);
  EXPECT_SAME(steps[3] - start, 5 + 3 + 3);
  EXPECT_SAME(steps[4] - start, 5 + 3 + 3);
  EXPECT_SAME(steps[5] - start, 5 + 3 + 3 + 2);
  return 0;
}

int shadow_of_mov_ss() {
  u64 start, scratch = 0;
  STEP("mov %w1, %%ss; nop; nop");
  EXPECT_SAME(step_count, 3);
  EXPECT_SAME(steps[0] - start, 3);  // behind the first NOP: nothing between MOV SS and it
  EXPECT_SAME(steps[1] - start, 4);
  return 0;
}

// A breakpoint fault comes before its instruction; RF in the frame lets it pass once.
u64 breakpoint_hits;
void on_breakpoint(Frame& frame) {
  ++breakpoint_hits;
  step_dr6 = read_dr6();
  write_dr6(0xffff0ff0);
  steps[0] = frame.rip;
  steps[1] = frame.rflags;
  frame.rflags |= 0x10000;
}

int resume_flag() {
  handlers[1] = on_breakpoint;
  u64 address;
  asm volatile("lea 1f(%%rip), %0" : "=r"(address));
  write_dr0(address);
  write_dr7(0x402);
  asm volatile("nop; 1: nop; nop" ::: "memory");
  write_dr7(0x400);
  EXPECT_SAME(breakpoint_hits, 1);
  EXPECT_SAME(steps[0], address);
  EXPECT_SAME(step_dr6 & 0xe00f, 1);
  EXPECT_SAME(steps[1] & 0x10000, 0x10000);  // saved set, SDM 3B 17.3.1.1
  return 0;
}

}  // namespace

int guest_main() {
  handlers[1] = on_debug;
  RUN(stepping());
  RUN(shadow_of_mov_ss());
  RUN(resume_flag());
  return 0;
}
