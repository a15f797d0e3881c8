// How fast this processor is: a loop of known length, timed by the TSC.
#include "firmware/selftest/selftest.h"

namespace selftest {

namespace {

// Eight instructions a turn, of the kind that fills integer code.
void run_loop(u64 turns) {
  u64 a = 1, b = 2, memory = 0;
  asm volatile(
      "1: add %1, %0\n"
      "xor %0, %1\n"
      "mov %0, %2\n"
      "lea 3(%1, %0, 2), %0\n"
      "shr $1, %1\n"
      "add %2, %1\n"
      "dec %3\n"
      "jnz 1b"
      : "+r"(a), "+r"(b), "+m"(memory), "+r"(turns));
}

}  // namespace

// Doubles the turns until the loop takes 20 ms, so that a slow engine is not kept for long.
void measure_speed() {
  for (u64 turns = 1000;; turns *= 2) {
    const u64 start = tsc();
    run_loop(turns);
    const u64 elapsed = tsc() - start + 1;
    if (elapsed < tsc_hz() / 50 && turns < 1ull << 32) continue;
    const u64 hundredths = scale(turns * 8, tsc_hz(), elapsed) / 10'000;
    begin_note("speed: ");
    print_decimal(hundredths / 100);
    print(hundredths % 100 < 10 ? ".0" : ".");
    print_decimal(hundredths % 100);
    print(" million instructions per second");
    return end_note();
  }
}

}  // namespace selftest
