// What a guest would miss that goes on with another processor model.
#pragma once

#include <string>
#include <vector>

#include "accel/x86/cpu_model.h"

namespace kite {

// Of what a guest was told it has (`seen`), what `offered` lacks: features, by name, and state
// components that lie elsewhere in the XSAVE area, since what was stored there stays where it is.
std::vector<std::string> missing_features(const CpuModel& seen, const CpuModel& offered);

}  // namespace kite
