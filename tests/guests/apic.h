// The local APIC as far as test guests use it: interrupts to itself, and a timer.
#pragma once

#include "tests/guests/expect.h"

namespace guest {

inline constexpr u64 kApic = 0xfee0'0000;
// SDM 3A table 10-1.
inline constexpr u32 kEndOfInterrupt = 0xb0, kSpurious = 0xf0, kCommandLow = 0x300,
                     kLvtTimer = 0x320, kInitialCount = 0x380, kCurrentCount = 0x390,
                     kDivide = 0x3e0;

inline u32 apic_read(u32 offset) {
  return volatile_read<u32>(kApic + offset);
}
inline void apic_write(u32 offset, u32 value) {
  volatile_write<u32>(kApic + offset, value);
}
inline void start_apic() {
  out8(0x21, 0xff), out8(0xa1, 0xff);  // whatever a firmware left running at the 8259s
  handlers[0xff] = [](Frame&) {};
  apic_write(kSpurious, 0x1ff);
  apic_write(kDivide, 0xb);
}
inline void interrupt_self(u8 vector) {
  apic_write(kCommandLow, vector | 1 << 18);
}

}  // namespace guest
