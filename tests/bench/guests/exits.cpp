// What it costs to come out of the guest for a port and for a memory-mapped register. Prints
// "NAME|HUNDREDTHS|exits" lines on COM1, where HUNDREDTHS counts hundredths of a microsecond an
// exit takes.
#include "firmware/selftest/runtime/guest.h"
#include "tests/bench/guests/tsc_by_pit.h"

using namespace guest;

namespace {

u64 tsc_hz;
// A batch is shorter than a time slice of the host, so that the best one was not interrupted.
constexpr u64 kBatch = 64, kBatches = 500;
// HPET's read-only capabilities: a register that every program emulates outside of KVM.
volatile u32* const hpet = reinterpret_cast<volatile u32*>(0xfed0'0000);

void port_writes(u64 turns) {
  while (turns--) asm volatile("outb %%al, $0x80" ::"a"(0));
}

void port_reads(u64 turns) {
  u8 status;
  while (turns--) asm volatile("inb $0x64, %%al" : "=a"(status));
}

void register_writes(u64 turns) {
  while (turns--) *hpet = 0;
}

void register_reads(u64 turns) {
  while (turns--) static_cast<void>(*hpet);
}

struct Class {
  const char* name;
  void (*run)(u64 turns);
};
constexpr Class kClasses[] = {{"port write", port_writes},
                              {"port read", port_reads},
                              {"register write", register_writes},
                              {"register read", register_reads}};

void measure(const Class& of) {
  u64 best = ~0ull;
  for (u32 batch = 0; batch < kBatches; ++batch) {
    const u64 start = tsc();
    of.run(kBatch);
    const u64 elapsed = tsc() - start;
    if (elapsed < best) best = elapsed;
  }
  print(of.name);
  print("|");
  print_decimal(scale(best, 100'000'000, tsc_hz) / kBatch);
  print("|exits\n");
}

}  // namespace

int guest_main() {
  console_port = 0x3f8;
  tsc_hz = tsc_hz_by_pit();
  for (const Class& each : kClasses) measure(each);
  print("end\n");
  return 0;
}
