// Data breakpoints, their lengths and kinds, DR7.GD and DR4/DR5.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

volatile u64 hits, hit_rip, hit_dr6;  // written by the handler
alignas(8) u8 watched[16];

void on_debug(Frame& frame) {
  hits = hits + 1;
  hit_rip = frame.rip;
  hit_dr6 = read_dr6() & 0xe00f;
  write_dr6(0xffff0ff0);
}

constexpr u64 kWrites = 1, kReadsAndWrites = 3;
u64 control(u64 kind, u64 length) {
  return 0x402 | kind << 16 | (length - 1) << 18;
}

template <class Code>
u64 hits_of(Code code) {
  hits = 0;
  code();
  return hits;
}

int data() {
  const u64 at = reinterpret_cast<u64>(watched);
  write_dr0(at + 4);
  write_dr7(control(kWrites, 4));
  EXPECT_SAME(hits_of([=] { volatile_write<u32>(at + 4, 1); }), 1);
  EXPECT_SAME(hit_dr6, 1);
  EXPECT_SAME(hits_of([=] { volatile_read<u32>(at + 4); }), 0);
  EXPECT_SAME(hits_of([=] { volatile_write<u8>(at + 7, 1); }), 1);
  EXPECT_SAME(hits_of([=] { volatile_write<u8>(at + 8, 1); }), 0);
  EXPECT_SAME(hits_of([=] { volatile_write<u64>(at, 1); }), 1);
  EXPECT_SAME(hits_of([=] { volatile_write<u32>(at, 1); }), 0);
  write_dr7(control(kReadsAndWrites, 4));
  EXPECT_SAME(hits_of([=] { volatile_read<u16>(at + 5); }), 1);
  // A trap: it points behind the instruction.
  u64 behind;
  asm volatile("lea 1f(%%rip), %0; movb $1, (%1); 1: nop" : "=&r"(behind) : "r"(at + 4) : "memory");
  EXPECT_SAME(hit_rip, behind);
  write_dr7(0x400);
  EXPECT_SAME(hits_of([=] { volatile_write<u32>(at + 4, 1); }), 0);
  return 0;
}

int registers() {
  write_dr3(0x1234'5678'9abc);
  EXPECT_SAME(read_dr3(), 0x1234'5678'9abc);
  // Bits that are always one (SDM 3B figure 17-1).
  EXPECT_SAME(read_dr6() & 0xffff'0ff0, 0xffff'0ff0);
  EXPECT_SAME(read_dr7(), 0x400);
  EXPECT_SAME(what_trapped(probe([] { write_dr7(1ull << 32); })), fault(13));
  EXPECT_SAME(what_trapped(probe([] { asm volatile("mov %%dr4, %%rax" ::: "rax"); })), kNoTrap);
  write_cr4(read_cr4() | 8);  // DE: DR4 and DR5 are #UD
  EXPECT_SAME(what_trapped(probe([] { asm volatile("mov %%dr4, %%rax" ::: "rax"); })), fault(6));
  write_cr4(read_cr4() & ~8ull);
  return 0;
}

int general_detect() {
  handlers[1] = nullptr;
  write_dr7(0x2400);
  const Trap trap = probe([] { read_dr0(); });
  EXPECT_SAME(what_trapped(trap), fault(1));
  EXPECT_SAME(trap.dr6 & 0xe00f, 0x2000);
  return 0;
}

}  // namespace

int guest_main() {
  handlers[1] = on_debug;
  RUN(data());
  RUN(registers());
  RUN(general_detect());
  return 0;
}
