// CMPXCHG16B, CMPXCHG8B and LOCK.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

alignas(16) u64 memory[4];
constexpr u64 kZ = 0x40;

u64 exchange16(u64* at, u64& low, u64& high, u64 new_low, u64 new_high) {
  u64 flags;
  asm volatile("lock cmpxchg16b (%3); pushfq; pop %0"
               : "=r"(flags), "+a"(low), "+d"(high)
               : "r"(at), "b"(new_low), "c"(new_high)
               : "memory", "cc");
  return flags & kZ;
}

int sixteen_bytes() {
  memory[0] = 1, memory[1] = 2;
  u64 low = 1, high = 2;
  EXPECT_SAME(exchange16(memory, low, high, 3, 4), kZ);
  EXPECT_SAME(memory[0], 3);
  EXPECT_SAME(memory[1], 4);
  low = 3, high = 5;
  EXPECT_SAME(exchange16(memory, low, high, 6, 7), 0);
  EXPECT_SAME(low, 3);
  EXPECT_SAME(high, 4);
  EXPECT_SAME(memory[1], 4);
  // Not on a 16-byte boundary: #GP, and a page that may not be written faults though unequal.
  const Trap trap = probe([] {
    u64 a = 0, b = 0;
    exchange16(memory + 1, a, b, 0, 0);
  });
  EXPECT_SAME(what_trapped(trap), fault(13));
  map(kWindow, new_page(), kPresent);
  const Trap write = probe([] {
    u64 a = 1, b = 1;
    exchange16(reinterpret_cast<u64*>(kWindow), a, b, 0, 0);
  });
  EXPECT_SAME(what_trapped(write), fault(14, 3));
  return 0;
}

int locked() {
  memory[0] = 5;
  asm volatile("lock addq $7, %0" : "+m"(memory[0]));
  EXPECT_SAME(memory[0], 12);
  u64 value = 30;
  asm volatile("lock xaddq %0, %1" : "+r"(value), "+m"(memory[0]));
  EXPECT_SAME(memory[0], 42);
  EXPECT_SAME(value, 12);
  u8 carry;
  asm volatile("lock btsq $3, %1; setc %0" : "=q"(carry), "+m"(memory[0]));
  EXPECT_SAME(carry, 1);
  // LOCK is for memory that is written.
  EXPECT_SAME(what_trapped(probe([] { asm volatile(".byte 0xf0, 0x01, 0xc8"); })), fault(6));
  EXPECT_SAME(what_trapped(probe([] { asm volatile(".byte 0xf0; nop"); })), fault(6));
  EXPECT_SAME(what_trapped(probe([] { asm volatile(".byte 0xf0; cmpl $0, %0" ::"m"(memory)); })),
              fault(6));
  return 0;
}

}  // namespace

int guest_main() {
  if (has(cpuid(1).ecx, 13)) RUN(sixteen_bytes());
  RUN(locked());
  return 0;
}
