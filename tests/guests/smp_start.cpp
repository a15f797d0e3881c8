// INIT and SIPI: who starts where, who does not, and what a processor says of itself.
#include "tests/guests/smp.h"

using namespace guest;

namespace {

volatile u32 seen[kMostProcessors];
volatile u64 apic_base[kMostProcessors], start_tsc[kMostProcessors];
volatile u32 starts;

void announce() {
  const u32 id = this_processor();
  seen[id] = seen[id] + 1;
  apic_base[id] = read_msr(0x1b);
  start_tsc[id] = tsc();
  asm volatile("lock incl %0" : "+m"(starts)::"memory");
  arrive();
}

int everyone_starts() {
  const u32 count = processor_count();
  EXPECT(count >= 2);
  EXPECT(has(read_msr(0x1b), 8));  // the boot processor
  for (u32 id = 1; id < count; ++id) {
    const u64 before = tsc();
    start_processor(id, announce);
    const u64 after = tsc();
    EXPECT_SAME(seen[id], 1);
    EXPECT_SAME(apic_base[id] >> 8 & 1, 0);
    // One time for all: what it read lies between what this one reads before and after.
    EXPECT(start_tsc[id] >= before);
    EXPECT(start_tsc[id] <= after);
  }
  return 0;
}

// A start-up message to a processor that does not wait for one means nothing (SDM 3A 8.4.3).
int start_up_without_init() {
  const u32 before = starts;
  send_ipi(1, 0x4600 | kTrampoline / 4096);
  for (int i = 0; i < 2000; ++i) pause();
  EXPECT_SAME(starts, before);
  return 0;
}

// INIT takes a running or halted processor back, and it can be started again.
int again() {
  const u32 before = starts;
  start_processor(1, announce);
  EXPECT_SAME(starts, before + 1);
  EXPECT_SAME(seen[1], 2);
  return 0;
}

int topology() {
  const u32 count = processor_count();
  if (cpuid(0x80000000).eax >= 0x80000008) EXPECT_SAME(cpuid(0x80000008).ecx & 0xff, count - 1);
  EXPECT_SAME(this_processor(), 0);
  return 0;
}

}  // namespace

int guest_main() {
  start_apic();
  RUN(topology());
  RUN(everyone_starts());
  RUN(start_up_without_init());
  RUN(again());
  return 0;
}
