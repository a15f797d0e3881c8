// A long REP lets interrupts in between its elements and goes on afterwards.
#include "tests/guests/apic.h"
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u8 kVector = 0x50;
constexpr u64 kSize = 1 << 16;
volatile u32 ticks;
alignas(4096) u8 area[kSize];

void on_timer(Frame&) {
  ticks = ticks + 1;
  apic_write(kEndOfInterrupt, 0);
}

}  // namespace

int guest_main() {
  start_apic();
  handlers[kVector] = on_timer;
  apic_write(kLvtTimer, kVector | 1 << 17);
  apic_write(kInitialCount, 200'000);
  interrupts_on();
  bool filled = true;
  for (u32 round = 1; round < 100'000 && ticks < 3; ++round) {
    u64 count = kSize;
    void* to = area;
    asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(round) : "memory");
    filled &= area[0] == static_cast<u8>(round) && area[kSize - 1] == static_cast<u8>(round);
    filled &= count == 0 && to == area + kSize;
  }
  interrupts_off();
  apic_write(kInitialCount, 0);
  EXPECT(ticks >= 3);
  EXPECT(filled);
  return 0;
}
