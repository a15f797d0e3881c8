// HLT that a timer ends, and a TSC that only goes forward.
#include "tests/guests/apic.h"
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u8 kVector = 0x50;
volatile u32 ticks;

int only_forward() {
  u64 last = tsc();
  for (int i = 0; i < 1000; ++i) {
    const u64 now = tsc();
    EXPECT(now > last);
    last = now;
  }
  return 0;
}

int one_shot() {
  apic_write(kLvtTimer, kVector);
  for (u32 shot = 1; shot <= 5; ++shot) {
    apic_write(kInitialCount, 50'000);
    wait_for_interrupt();
    EXPECT_SAME(ticks, shot);
    EXPECT_SAME(apic_read(kCurrentCount), 0);
  }
  return 0;
}

int deadline() {
  constexpr u32 kTscDeadline = 0x6e0;
  ticks = 0;
  apic_write(kLvtTimer, kVector | 2 << 17);
  const u64 end = tsc() + 100'000;
  write_msr(kTscDeadline, end);
  wait_for_interrupt();
  EXPECT_SAME(ticks, 1);
  EXPECT(tsc() >= end);
  write_msr(kTscDeadline, 1);  // long past: at once
  wait_for_interrupt();
  EXPECT_SAME(ticks, 2);
  return 0;
}

int writing_the_counter() {
  const u64 before = read_msr(0x10);
  write_msr(0x10, before + (1ull << 40));
  EXPECT(tsc() - before >= 1ull << 40);
  return 0;
}

}  // namespace

int guest_main() {
  start_apic();
  handlers[kVector] = [](Frame&) {
    ticks = ticks + 1;
    apic_write(kEndOfInterrupt, 0);
  };
  RUN(only_forward());
  RUN(one_shot());
  if (has(cpuid(1).ecx, 24)) RUN(deadline());
  RUN(writing_the_counter());
  return 0;
}
