// KVM: guest code on the host's own processor, by Linux's virtualization device.
#pragma once

#include <string>

#include "accel/accelerator.h"

namespace kite {

// "kvm", for the machine's list of accelerators.
const AcceleratorKind& kvm_kind();

// Can the device at `path` run Kite's guests? Each reason why not is its own sentence.
Result<> probe_kvm(const std::string& path = "/dev/kvm");

}  // namespace kite
