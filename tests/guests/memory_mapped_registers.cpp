// Loads and stores to device registers, by every kind of instruction, and to where nothing is.
#include "tests/guests/apic.h"
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u32 kDestination = 0xd0;  // LDR: bits 31–24 can be read and written
u64 at(u32 offset) {
  return kApic + offset;
}

int by_every_instruction() {
  const u64 ldr = at(kDestination);
  volatile_write<u32>(ldr, 0x1200'0000);
  EXPECT_SAME(volatile_read<u32>(ldr), 0x1200'0000);
  asm volatile("orl %1, (%0)" ::"r"(ldr), "r"(0x0100'0000) : "memory");
  EXPECT_SAME(volatile_read<u32>(ldr), 0x1300'0000);
  asm volatile("addl $0x1000000, (%0)" ::"r"(ldr) : "memory");
  EXPECT_SAME(volatile_read<u32>(ldr), 0x1400'0000);
  u32 value = 0x2500'0000;
  asm volatile("xchg %0, (%1)" : "+r"(value) : "r"(ldr) : "memory");
  EXPECT_SAME(value, 0x1400'0000);
  u64 flags;
  asm volatile("cmpl %2, (%1); pushfq; pop %0" : "=r"(flags) : "r"(ldr), "r"(0x2500'0000));
  EXPECT_SAME(flags & 0x40, 0x40);
  asm volatile("movl $0x36000000, (%0)" ::"r"(ldr) : "memory");
  EXPECT_SAME(volatile_read<u32>(ldr), 0x3600'0000);
  u32 buffer = 0x4700'0000;
  const void* from = &buffer;
  u64 to = ldr;
  asm volatile("movsl" : "+S"(from), "+D"(to)::"memory");
  EXPECT_SAME(volatile_read<u32>(ldr), 0x4700'0000);
  u64 extended;
  asm volatile("movslq (%1), %0" : "=r"(extended) : "r"(at(kSpurious)));
  EXPECT_SAME(extended & 0xff, 0xff);
  return 0;
}

// Between RAM and the chips below 4 GiB.
int nothing_there() {
  constexpr u64 kNothing = 0xd000'0000;
  EXPECT_SAME(volatile_read<u8>(kNothing + 1), 0xff);
  EXPECT_SAME(volatile_read<u16>(kNothing), 0xffff);
  EXPECT_SAME(volatile_read<u32>(kNothing), 0xffff'ffff);
  EXPECT_SAME(volatile_read<u64>(kNothing), ~0ull);
  EXPECT_SAME(volatile_read<u64>(kNothing + 0xffc), ~0ull);
  volatile_write<u8>(kNothing, 0);
  volatile_write<u64>(kNothing, 0);
  EXPECT_SAME(volatile_read<u64>(kNothing), ~0ull);
  return 0;
}

}  // namespace

int guest_main() {
  start_apic();
  RUN(by_every_instruction());
  RUN(nothing_there());
  return 0;
}
