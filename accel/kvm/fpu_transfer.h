// x87 and SIMD registers to and from KVM.
#pragma once

#include "accel/kvm/device.h"
#include "accel/x86/state.h"
#include "base/result.h"

namespace kite::kvm {

void read_fpu(int fd, const Device& device, FpuState& fpu);
Result<> write_fpu(int fd, const Device& device, const FpuState& fpu);

}  // namespace kite::kvm
