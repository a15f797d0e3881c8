// Without a usable table of gates an exception shuts the processor down. Never comes back.
#include "tests/guests/expect.h"

int guest_main() {
  struct {
    guest::u16 limit;
    guest::u64 base;
  } __attribute__((packed)) nothing = {0, 0};
  asm volatile("lidt %0; ud2" ::"m"(nothing));
  return 1;
}
