// A triple fault of a processor that is not the first ends the run, whatever the others do.
#include "tests/guests/smp.h"

using namespace guest;

int guest_main() {
  start_apic();
  start_processor(1, [] {
    arrive();
    const struct __attribute__((packed)) {
      u16 limit;
      u64 base;
    } nothing = {0, 0};
    asm volatile("lidt %0; ud2" ::"m"(nothing));
  });
  for (;;) pause();
}
