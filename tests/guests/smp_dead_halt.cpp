// Halts for good: every processor in HLT with interrupts off, but one that never was started.
#include "tests/guests/smp.h"

using namespace guest;

int guest_main() {
  start_apic();
  const u32 count = processor_count();
  for (u32 id = 1; id + 1 < count; ++id) start_processor(id, arrive);
  interrupts_off();
  for (;;) asm volatile("hlt");
}
