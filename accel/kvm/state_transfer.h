// X86State to and from the structures of KVM's ioctls.
#pragma once

#include "accel/kvm/device.h"
#include "accel/kvm/fpu_transfer.h"
#include "accel/kvm/msr_transfer.h"
#include "accel/x86/state.h"
#include "base/result.h"

namespace kite::kvm {

// The two registers of the interrupt controller that KVM_SET_SREGS sets.
struct ApicRegisters {
  u64 base = 0;
  u64 cr8 = 0;
};

class StateTransfer {
 public:
  // `fd` is a vCPU's.
  StateTransfer(int fd, const Device& device) : fd_(fd), device_(device) {}
  // Once, after KVM_SET_CPUID2.
  void find_registers(int vm_fd) {
    msrs_.find(fd_, device_);
    fpu_.find(vm_fd, device_);
  }

  ApicRegisters read_apic_registers() const;

  // All but what KVM without its interrupt controllers does not have, and the requests of other
  // threads: MpState, IA32_TSC_DEADLINE, INIT, SIPI. `all`: else without memory types, machine
  // checks and registers that have no name in X86State.
  X86State read(bool all) const;
  // All but the TSC and IA32_TSC_ADJUST. `apic`: null leaves the two registers as they are.
  // `flush`: KVM may hold translations that are not of this state's memory.
  Result<> write(const X86State& state, const ApicRegisters* apic, bool flush) const;
  // What read(false) gave is `from`, and `to` is to be there now, the TSC aside.
  Result<> write_changes(const X86State& from, const X86State& to, bool flush) const;

 private:
  const int fd_;
  const Device& device_;
  MsrList msrs_;
  FpuTransfer fpu_;
};

}  // namespace kite::kvm
