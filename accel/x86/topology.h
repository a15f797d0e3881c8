// Which processors share what: the CPUID leaves of topology, for a machine of one package with a
// core for each vCPU.
#pragma once

#include "accel/x86/cpu_model.h"

namespace kite {

// Fills into `value`, the model's answer for a leaf, what depends on the number of processors and
// on the one that asks: leaves 1, 4, 0Bh, 80000001h, 80000008h, 8000001Dh and 8000001Eh, as the
// model's maker defines them (SDM 2A "CPUID", APM 3 appendix E). Leaves that a model does not have
// stay zero.
void describe_topology(const CpuModel& model, u32 leaf, u32 subleaf, const CpuidContext& vcpu,
                       CpuidLeaf& value);

// "AuthenticAMD" or "HygonGenuine": CPUID is read as APM 3 appendix E has it.
bool follows_amd(const CpuModel& model);

}  // namespace kite
