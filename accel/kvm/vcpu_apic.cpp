// What of a vCPU's state is its local APIC's.
#include <sys/ioctl.h>

#include <cerrno>

#include "accel/kvm/accelerator.h"
#include "accel/kvm/vcpu.h"
#include "accel/x86/msr.h"

namespace kite::kvm {
namespace {

constexpr std::size_t kTaskPriority = 8;  // register number: offset / 16

MpState from_kvm(u32 raw) {
  switch (raw) {
    case KVM_MP_STATE_HALTED:
      return MpState::kHalted;
    case KVM_MP_STATE_UNINITIALIZED:
    case KVM_MP_STATE_INIT_RECEIVED:
    case KVM_MP_STATE_SIPI_RECEIVED:
      return MpState::kWaitForSipi;
    default:
      return MpState::kRunning;
  }
}

// "Uninitialized" would wait for INIT first; a processor waits for SIPI after RESET, too (SDM 3A
// 9.4.3).
u32 to_kvm(MpState state) {
  switch (state) {
    case MpState::kHalted:
      return KVM_MP_STATE_HALTED;
    case MpState::kWaitForSipi:
      return KVM_MP_STATE_INIT_RECEIVED;
    default:
      return KVM_MP_STATE_RUNNABLE;
  }
}

}  // namespace

void KvmVcpu::read_apic(X86State& state) {
  kvm_mp_state raw{};
  if (::ioctl(fd_.get(), KVM_GET_MP_STATE, &raw) >= 0) state.mp_state = from_kvm(raw.mp_state);
  auto apic = read_local_apic(fd_.get());
  if (!apic) return;
  apic->apic_base = transfer_.read_apic_registers().base;
  apic->tsc_deadline = read_msr(fd_.get(), msr::kTscDeadline).value_or(0);
  state.apic = *apic;
}

// KVM_SET_SREGS sets IA32_APIC_BASE and, by CR8, the task priority.
ApicRegisters KvmVcpu::apic_registers(const X86State& state) {
  if (!apic_in_kernel()) {
    u64 base = msr::kApicBaseDefault | msr::kApicBaseEnable | msr::kApicBaseBsp;
    if (config_.interrupts) config_.interrupts->read_msr(msr::kApicBase, base);
    return {.base = base, .cr8 = config_.interrupts ? config_.interrupts->cr8() : u64{0}};
  }
  if (!state.apic) return transfer_.read_apic_registers();
  return {.base = state.apic->apic_base, .cr8 = state.apic->registers[kTaskPriority] >> 4 & 15};
}

// After the TSC, which the deadline is measured against.
Result<> KvmVcpu::write_apic(const X86State& state) {
  if (state.apic) {
    KITE_CHECK(write_local_apic(fd_.get(), *state.apic));
    if (state.apic->tsc_deadline != 0)
      write_msr(fd_.get(), msr::kTscDeadline, state.apic->tsc_deadline);
  }
  kvm_mp_state raw{};
  raw.mp_state = to_kvm(state.mp_state);
  if (::ioctl(fd_.get(), KVM_SET_MP_STATE, &raw) < 0)
    return fail_errno(ErrorKind::kInternal, errno, "KVM refuses a vCPU's run state");
  return {};
}

}  // namespace kite::kvm
