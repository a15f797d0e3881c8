// The boards' build functions, one file each.
#pragma once

#include "base/result.h"

namespace kite {

class MachineBuild;

Result<> build_microvm(MachineBuild& machine);
Result<> build_bare(MachineBuild& machine);

// What both boards have: the debug console's two ports and the exit port.
Result<> add_test_ports(MachineBuild& machine);

}  // namespace kite
