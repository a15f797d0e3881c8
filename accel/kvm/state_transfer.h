// X86State to and from the structures of KVM's ioctls.
#pragma once

#include <optional>

#include "accel/kvm/device.h"
#include "accel/x86/state.h"
#include "base/result.h"

namespace kite::kvm {

// `fd` is a vCPU's. MpState is the caller's own: KVM without its interrupt controllers has none.
X86State read_state(int fd, const Device& device);
Result<> write_state(int fd, const Device& device, const X86State& state, u64 apic_base);

std::optional<u64> read_msr(int fd, u32 index);
bool write_msr(int fd, u32 index, u64 value);

}  // namespace kite::kvm
