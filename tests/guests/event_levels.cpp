// A level of the I/O APIC that a device holds up, which it signals by descriptor: it comes again
// until the device has no more work, and the device hears of each end of interrupt (signals.h).
#include "tests/guests/signals.h"

using namespace guest;

namespace {

constexpr u8 kOwnVector = 0x50, kLevelVector = 0x51;
volatile u32 in_service;

// There are KVMs that end an interrupt themselves as they deliver it: to them nothing here applies.
int interrupts_last_until_their_end() {
  handlers[kOwnVector] = [](Frame&) {
    in_service = apic_read(0x100 + kOwnVector / 32 * 16) >> kOwnVector % 32;
    apic_write(kEndOfInterrupt, 0);
  };
  interrupt_self(kOwnVector);
  wait_for_interrupt();
  EXPECT_SAME(in_service, 1);
  return 0;
}

int level() {
  handlers[kLevelVector] = [](Frame&) { serve_unit(0, [] { apic_write(kEndOfInterrupt, 0); }); };
  constexpr u32 kInput = signal_ports::kLevelWires[0];
  redirect(kInput, kMaskedInput | kLevelInput | kLevelVector);
  return serve_level(0, [] { redirect(kInput, kLevelInput | kLevelVector); });
}

}  // namespace

int guest_main() {
  EXPECT_SAME(in8(signal_ports::kIdentity), signal_ports::kPresent);
  start_apic();
  start_signals();
  RUN(interrupts_last_until_their_end());
  RUN(level());
  return 0;
}
