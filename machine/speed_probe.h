// How fast an accelerator runs guest code, measured: there are hosts whose /dev/kvm interprets.
#pragma once

#include <string>

#include "accel/accelerator.h"

namespace kite {

// What a trial program may run, in all its rounds. Two of them, KVM's and the interpreter's, decide
// `--accel auto`, so the decision takes no more than 20 ms besides what the host needs to make a
// virtual machine (one call, which nothing can cut short).
inline constexpr Nanos kTrialLimit = 10 * kMillisecond;

// The interpreter does some hundred million instructions per second, hardware thousands of
// millions; a KVM below this executes guest code by interpreting it.
inline constexpr u64 kWorthwhileSpeed = 100'000'000;

// Instructions per second of a counting loop; of one that does not come to its end within
// kTrialLimit, what it would have done had it ended just then. `clock`: null for the host's.
Result<u64> measure_speed(const AcceleratorKind& kind, Clock* clock = nullptr);

// "about 240 million", "about 1.4 million", "less than 0.1 million".
std::string in_millions(u64 instructions_per_second);

}  // namespace kite
