// What the self-test guest writes to the exit port; read by both sides.
#pragma once

#include "base/types.h"

namespace kite {

// The run's status is (value << 1) | 1. `kite selftest` makes 0 of kSelftestPassedStatus and passes
// every other one on.
inline constexpr u32 kSelftestPassed = 0x10;
inline constexpr u32 kSelftestFailed = 0x11;
inline constexpr int kSelftestPassedStatus = kSelftestPassed << 1 | 1;  // 33

}  // namespace kite
