// Page tables that processors share: shoot-down, and accessed and dirty bits under change.
#include "tests/guests/smp.h"

using namespace guest;

namespace {

constexpr u8 kShootDown = 0x60;
constexpr u32 kRounds = 30;

volatile u32 acknowledged, stop, stale;
volatile u64 current;  // what the window shows, by the one that maps it

void shot(Frame&) {
  invlpg(kWindow);
  apic_write(kEndOfInterrupt, 0);
  acknowledged = 1;
}

// Reads the window all the time, so that its TLB always has it; the interrupt comes between.
void reader() {
  arrive();
  interrupts_on();
  while (!stop) {
    const u64 wanted = current;
    const u64 got = volatile_read<u64>(kWindow);
    if (got < wanted) stale = stale + 1;
  }
  interrupts_off();
}

// After the other processor has answered, it must see the new page and never the old one again.
int shoot_down() {
  const u64 pages[2] = {new_page(), new_page()};
  volatile_write<u64>(pages[0], 0);
  map(kWindow, pages[0], kPresent | kWritable);
  start_processor(1, reader);
  for (u64 i = 1; i <= kRounds; ++i) {
    volatile_write<u64>(pages[i % 2], i);
    map(kWindow, pages[i % 2], kPresent | kWritable);
    acknowledged = 0;
    send_ipi(1, 0x4000 | kShootDown);
    wait_until([] { return acknowledged != 0; });
    current = i;
    volatile_write<u64>(pages[(i + 1) % 2], 0);
    for (int j = 0; j < 20; ++j) pause();
  }
  stop = 1;
  EXPECT_SAME(stale, 0);
  return 0;
}

alignas(64) volatile u64 lost;

// One takes the entry away and puts it back; the other's accesses set A and D. An entry that was
// seen not present must stay as it was written: a processor sets bits in an entry it may use only.
void touch_or_take(u32 processor) {
  volatile u64& entry = page_entry(kWindow);
  if (processor > 1) return;
  for (u32 i = 0; i < 1000; ++i) {
    if (processor == 1) {
      probe([] { volatile_write<u64>(kWindow + 8, 1); });
      invlpg(kWindow);
      continue;
    }
    u64 empty = 0x5000;  // not present, something of the kernel's own
    asm volatile("xchgq %0, %1" : "+r"(empty), "+m"(entry)::"memory");
    for (int j = 0; j < 10; ++j)
      if (entry != 0x5000) lost = lost + 1;
    entry = empty & ~(kAccessed | kDirty);
  }
}

int bits_of_an_entry() {
  map(kWindow, new_page(), kPresent | kWritable);
  on_every_processor(touch_or_take);
  EXPECT_SAME(lost, 0);
  return 0;
}

// Accessed bits are set once by whoever is first, and no other bit of the entry gets lost.
int accessed_and_dirty() {
  map(kWindow, new_page(), kPresent | kWritable);
  on_every_processor([](u32) { volatile_write<u64>(kWindow + 16, 1); });
  EXPECT_SAME(page_entry(kWindow) & (kAccessed | kDirty), kAccessed | kDirty);
  return 0;
}

}  // namespace

int guest_main() {
  start_apic();
  handlers[kShootDown] = shot;
  RUN(shoot_down());
  RUN(bits_of_an_entry());
  RUN(accessed_and_dirty());
  return 0;
}
