// What the host's own processor and kernel have, for tests that ask it.
#pragma once

#include <string>

#include "accel/tcg/isa/row.h"
#include "accel/x86/cpu_model.h"
#include "accel/x86/host_features.h"

namespace kite::isa {

// Does the host have everything that the row needs?
bool host_has_features_of(const tcg::Row& row);

bool host_is_intel();

// Has the kernel the flat segments that Linux gives to programs, and lets programs write FS' base?
bool host_has_linux_segments();
bool host_enables_fsgsbase();

// The names of the features that some row needs and the host lacks, for a test to print: what it
// leaves out.
std::string features_the_host_lacks();

// A model with every feature there is a name for, whether a model for guests offers it yet or not.
CpuModel model_with_everything();

}  // namespace kite::isa
