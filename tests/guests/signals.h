// The device that signals by descriptor from a thread of its own, as its guests use it. It is the
// conformance tests' (tests/conformance/signal_device.h); no other machine has it.
#pragma once

#include "tests/guests/apic.h"
#include "tests/guests/expect.h"
#include "tests/guests/signal_ports.h"

namespace guest {

inline volatile u32 markers;

inline void start_signals() {
  handlers[signal_ports::kMarkerVector] = [](Frame&) {
    markers = markers + 1;
    apic_write(kEndOfInterrupt, 0);
  };
}

// Until whatever was signalled has come: who serves the signals goes round between two markers.
inline void settle() {
  while (in8(signal_ports::kUndone) != 0) pause();
  for (int i = 0; i < 2; ++i) {
    const u32 before = markers;
    out8(signal_ports::kMarker, 0);
    while (markers == before) wait_for_interrupt();
  }
}

// Of the I/O APIC (82093AA 3.2.4).
inline constexpr u32 kMaskedInput = 1 << 16, kLevelInput = 1 << 15;
inline void redirect(u32 input, u32 entry) {
  constexpr u64 kIoApic = 0xfec0'0000;
  volatile_write<u32>(kIoApic, 0x10 + 2 * input);
  volatile_write<u32>(kIoApic + 0x10, entry);
}

inline constexpr u8 kPieces = 3;
inline struct { volatile u32 interrupts, early; } unit_counts[2];

// Takes one piece of a unit's work and ends the interrupt. Of that end the device must hear, and
// not before it; only the first time it may have heard already, since the interrupt was unmasked.
template <class End>
void serve_unit(unsigned unit, End end) {
  auto& counts = unit_counts[unit];
  counts.interrupts = counts.interrupts + 1;
  in8(signal_ports::kWork[unit]);
  const u8 before = in8(signal_ports::kEnds[unit]);
  for (int i = 0; i < 20; ++i) in8(signal_ports::kIdentity);
  if (in8(signal_ports::kEnds[unit]) != before && counts.interrupts != 1)
    counts.early = counts.early + 1;
  end();
  while (in8(signal_ports::kEnds[unit]) == before) pause();
}

// The level goes up while it is masked; then it comes once for each piece of work, not once more.
template <class Unmask>
int serve_level(unsigned unit, Unmask unmask) {
  auto& counts = unit_counts[unit];
  out8(signal_ports::kWork[unit], kPieces);
  settle();
  EXPECT_SAME(counts.interrupts, 0);
  EXPECT_SAME(in8(signal_ports::kEnds[unit]), 0);
  unmask();
  while (counts.interrupts != kPieces) wait_for_interrupt();
  settle();
  EXPECT_SAME(counts.interrupts, kPieces);
  EXPECT_SAME(counts.early, 0);
  EXPECT(in8(signal_ports::kEnds[unit]) >= kPieces);
  return 0;
}

}  // namespace guest
