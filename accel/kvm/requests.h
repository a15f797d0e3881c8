// What KVM can be asked by ioctl while a machine runs: for a sandbox, which allows no others.
#pragma once

#include <span>

#include "base/fixed_name.h"

namespace kite::kvm {

// On any of a machine's threads: its processors, memory, interrupts and clock. KVM_RUN is first.
std::span<const unsigned long> machine_requests();

// What makes virtual machines and processors, for an accelerator that is made while the machine
// runs already.
std::span<const unsigned long> creation_requests();

// Files that are opened when an accelerator is made: /dev/kvm, and where KVM's modules say whether
// the processor walks the guest's page tables. Named before the sandbox closes, they can be opened
// afterwards too.
const FixedName& device_name();
const FixedName& ept_parameter();
const FixedName& npt_parameter();
void name_files();

}  // namespace kite::kvm
