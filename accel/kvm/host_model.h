// `--cpu host` under KVM: the host's processor, as far as KVM and Kite can give it to a guest.
#pragma once

#include <vector>

#include "accel/kvm/abi.h"
#include "accel/x86/cpu_model.h"

namespace kite::kvm {

// The processor that KVM_GET_SUPPORTED_CPUID describes in `supported`: its features, maker, family,
// brand and caches. Not from there: topology, which is the machine's; leaves 4000'0000h and up,
// which are KVM's name, its clock and the frequencies; and what Kite does not keep in X86State, and
// would lose when it reads and writes a processor's state:
// performance counters, last-branch records and processor trace, nested virtualization, AMX tiles,
// bounds registers, shadow stacks, and everything about enclaves and memory encryption.
// `asked` gives the name, the TSC frequency of other accelerators, and +feature and -feature.
CpuModel host_model(const std::vector<kvm_cpuid_entry2>& supported, const CpuModel& asked);

}  // namespace kite::kvm
