// One compute-bound loop on every processor at once. Prints "NAME HUNDREDTHS UNIT" on COM1 as
// workloads.cpp does: millions of instructions a second of all processors together.
#include "tests/guests/smp.h"

using namespace guest;

namespace {

u64 turns;
Barrier barrier;

void loop(u64 count) {
  u64 a = 1, b = 2, c = 3;
  asm volatile(
      "1: add %1, %0; xor %0, %2; lea 3(%1, %2, 2), %1; shr $1, %2\n"
      "sub %0, %1; and $0x7fffffff, %0; or $1, %2; imul %2, %1\n"
      "dec %3; jnz 1b"
      : "+r"(a), "+r"(b), "+r"(c), "+r"(count)::"cc");
}

void work(u32) {
  barrier.meet(processor_count());
  loop(turns);
}

}  // namespace

int guest_main() {
  console_port = 0x3f8;
  start_apic();
  const u64 hz = u64{cpuid(0x40000010).eax} * 1000;  // kHz: every model of Kite says it
  if (!hz) return 1;
  u64 elapsed = 0;
  for (turns = 1 << 16; elapsed < hz / 4; turns *= 2) {
    const u64 start = tsc();
    loop(turns);
    elapsed = tsc() - start;
  }
  const u64 start = tsc();
  on_every_processor(work);
  elapsed = tsc() - start;
  print("integer|");
  print_decimal(scale(turns * 10 * processor_count(), hz, elapsed) / 10'000);
  print("|instructions\nend\n");
  return 0;
}
