// How fast an accelerator runs guest code, measured: there are hosts whose /dev/kvm interprets.
#pragma once

#include "accel/accelerator.h"

namespace kite {

// The interpreter does about 100 million instructions per second on integer code; hardware does
// thousands of millions, a KVM that interprets under one to two.
inline constexpr u64 kWorthwhileSpeed = 100'000'000;

// Instructions per second of a short counting loop, in a few milliseconds.
Result<u64> measure_speed(const AcceleratorKind& kind);

}  // namespace kite
