// X86State to and from the structures of KVM's ioctls.
#pragma once

#include <optional>

#include "accel/kvm/device.h"
#include "accel/x86/state.h"
#include "base/result.h"

namespace kite::kvm {

// What KVM keeps of the local APIC among the registers of KVM_SET_SREGS.
struct ApicRegisters {
  u64 base = 0;  // IA32_APIC_BASE
  u64 cr8 = 0;
};
ApicRegisters read_apic_registers(int fd);

// `fd` is a vCPU's. MpState and the local APIC are the caller's business.
X86State read_state(int fd, const Device& device);
Result<> write_state(int fd, const Device& device, const X86State& state,
                     const ApicRegisters& apic);

std::optional<u64> read_msr(int fd, u32 index);
bool write_msr(int fd, u32 index, u64 value);

}  // namespace kite::kvm
