// What every accelerator does about model-specific registers that neither it nor Kite has.
#pragma once

#include <string_view>

#include "base/types.h"

namespace kite {

// Registers that kernels touch without asking CPUID: they read as 0 and swallow writes, where the
// accelerator does not have them itself. Every other unknown register raises #GP.
bool is_harmless_msr(u32 index);

// Logs (at debug level) that the guest touched a register nobody has: once for each register, and
// for no more than 64 of them, because guests may try all there are. `access`: "read", "write";
// `answer`: what came of it. Any thread. Was a line written?
bool log_unknown_msr(std::string_view access, u32 index, std::string_view answer);

}  // namespace kite
