// Locked instructions of every kind, on memory that all processors change at once.
#include "tests/guests/smp.h"

using namespace guest;

namespace {

constexpr u32 kRounds = 3000;
constexpr u32 kSlowRounds = 200;

alignas(64) volatile u64 counter, xadds, bits_lost;
alignas(64) volatile u64 pair[2];
alignas(64) volatile u32 spin;
volatile u64 guarded;
alignas(4096) volatile u8 pages[2 * 4096];
alignas(64) volatile u64 token;

void add_and_count(u32) {
  for (u32 i = 0; i < kRounds; ++i) {
    asm volatile("lock incq %0" : "+m"(counter)::"memory");
    u64 two = 2;
    asm volatile("lock xaddq %0, %1" : "+r"(two), "+m"(xadds)::"memory");
  }
}

// XCHG locks without the prefix (SDM 3A 8.1.2.1).
void spin_lock(u32) {
  for (u32 i = 0; i < kRounds; ++i) {
    for (;;) {
      u32 taken = 1;
      asm volatile("xchgl %0, %1" : "+r"(taken), "+m"(spin)::"memory");
      if (!taken) break;
      while (spin) pause();
    }
    guarded = guarded + 1;
    spin = 0;
  }
}

void sixteen_bytes(u32) {
  for (u32 i = 0; i < kRounds; ++i) {
    u64 low = pair[0], high = pair[1];
    bool done;
    do {
      asm volatile("lock cmpxchg16b %1; sete %0"
                   : "=q"(done), "+m"(*const_cast<u64(*)[2]>(&pair)), "+a"(low), "+d"(high)
                   : "b"(low + 1), "c"(high - 1)
                   : "memory", "cc");
    } while (!done);
  }
}

// Where a doubleword crosses a cache line, and where a quadword crosses two pages.
volatile u32& across_lines() {
  return *reinterpret_cast<volatile u32*>(pages + 62);
}
volatile u64& across_pages() {
  return *reinterpret_cast<volatile u64*>(pages + 4096 - 3);
}
void misaligned(u32) {
  for (u32 i = 0; i < kSlowRounds; ++i) {
    asm volatile("lock incl %0" : "+m"(across_lines())::"memory");
    asm volatile("lock addq $3, %0" : "+m"(across_pages())::"memory");
  }
}

// A misaligned locked access is one towards other processors' plain stores as well: adding 0 must
// never put an old byte back.
void against_plain_stores(u32 processor) {
  volatile u8& mine = pages[61 + processor];
  for (u32 i = 0; i < kSlowRounds; ++i) {
    if (processor == 0) {
      asm volatile("lock addl $0, %0" : "+m"(across_lines())::"memory");
      continue;
    }
    mine = static_cast<u8>(i);
    pause();
    if (mine != static_cast<u8>(i)) asm volatile("lock incq %0" : "+m"(bits_lost)::"memory");
  }
}

// BTS and BTR: every processor has its bit, the others must not take it away.
void bits_of_one_word(u32 processor) {
  for (u32 i = 0; i < kRounds; ++i) {
    bool was;
    asm volatile("lock btsq %2, %1; setc %0"
                 : "=q"(was), "+m"(token)
                 : "r"(static_cast<u64>(processor))
                 : "memory");
    if (was) asm volatile("lock incq %0" : "+m"(bits_lost)::"memory");
    asm volatile("lock btrq %2, %1; setc %0"
                 : "=q"(was), "+m"(token)
                 : "r"(static_cast<u64>(processor))
                 : "memory");
    if (!was) asm volatile("lock incq %0" : "+m"(bits_lost)::"memory");
  }
}

}  // namespace

int guest_main() {
  start_apic();
  const u64 count = processor_count();
  EXPECT(count >= 2);
  on_every_processor(add_and_count);
  EXPECT_SAME(counter, count * kRounds);
  EXPECT_SAME(xadds, 2 * count * kRounds);
  on_every_processor(spin_lock);
  EXPECT_SAME(guarded, count * kRounds);
  if (has(cpuid(1).ecx, 13)) {
    on_every_processor(sixteen_bytes);
    EXPECT_SAME(pair[0], count * kRounds);
    EXPECT_SAME(pair[1], 0 - count * kRounds);
  }
  on_every_processor(misaligned);
  EXPECT_SAME(across_lines(), count * kSlowRounds);
  EXPECT_SAME(across_pages(), 3 * count * kSlowRounds);
  on_every_processor(against_plain_stores);
  EXPECT_SAME(bits_lost, 0);
  on_every_processor(bits_of_one_word);
  EXPECT_SAME(bits_lost, 0);
  return 0;
}
