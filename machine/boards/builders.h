// The boards' build functions, one file each.
#pragma once

#include "base/result.h"

namespace kite {

class CharBackend;
class MachineBuild;

Result<> build_microvm(MachineBuild& machine);
Result<> build_bare(MachineBuild& machine);

Result<> build_pc(MachineBuild& machine);

// What every board has: the debug console's two ports and the exit port.
Result<> add_test_ports(MachineBuild& machine);
// The same with port 402h somewhere else.
Result<> add_test_ports(MachineBuild& machine, CharBackend& firmware_console);

}  // namespace kite
