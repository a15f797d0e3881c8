// The TSC's frequency, for guests that measure: counted against the PIT's channel 0.
#pragma once

#include "firmware/selftest/runtime/guest.h"

namespace guest {

inline u64 tsc_hz_by_pit() {
  const auto counter = [] {
    out8(0x43, 0);
    const u32 low = in8(0x40);
    return static_cast<u16>(0xffff - (in8(0x40) << 8 | low));
  };
  out8(0x43, 0x34), out8(0x40, 0), out8(0x40, 0);
  const u16 start = counter();
  const u64 tsc_start = tsc();
  u16 elapsed = 0;
  while (elapsed < 30'000) elapsed = static_cast<u16>(counter() - start);
  return (tsc() - tsc_start) * 1'193'182 / elapsed;
}

}  // namespace guest
