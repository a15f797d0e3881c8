// HLT that a timer ends, and a TSC that only goes forward.
#include "tests/guests/apic.h"
#include "tests/guests/expect.h"

using namespace guest;

namespace {
constexpr u8 kVector = 0x50;
volatile u32 ticks;
}  // namespace

int guest_main() {
  start_apic();
  handlers[kVector] = [](Frame&) {
    ticks = ticks + 1;
    apic_write(kEndOfInterrupt, 0);
  };
  u64 last = tsc();
  for (int i = 0; i < 1000; ++i) {
    const u64 now = tsc();
    EXPECT(now > last);
    last = now;
  }
  apic_write(kLvtTimer, kVector);
  for (u32 shot = 1; shot <= 5; ++shot) {
    apic_write(kInitialCount, 50'000);
    wait_for_interrupt();
    EXPECT_SAME(ticks, shot);
    EXPECT_SAME(apic_read(kCurrentCount), 0);
  }
  if (has(cpuid(1).ecx, 24)) {
    apic_write(kLvtTimer, kVector | 2 << 17);
    const u64 deadline = tsc() + 100'000;
    write_msr(0x6e0, deadline);
    wait_for_interrupt();
    EXPECT_SAME(ticks, 6);
    EXPECT(tsc() >= deadline);
    write_msr(0x6e0, 1);  // long past: at once
    wait_for_interrupt();
    EXPECT_SAME(ticks, 7);
  }
  const u64 before = read_msr(0x10);
  write_msr(0x10, before + (1ull << 40));
  EXPECT(tsc() - before >= 1ull << 40);
  return 0;
}
