// Which features the host's own processor has, for those who run instructions on it.
#pragma once

#include "accel/x86/feature.h"

namespace kite {

// By CPUID and, for what needs its registers saved, XCR0 (SDM 1 13.3, 14.3). False on hosts that
// are not x86-64. Any thread.
bool host_has(Feature feature);

}  // namespace kite
