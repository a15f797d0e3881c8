// A vCPU's state in and out, whole and lent.
#include <sys/ioctl.h>

#include "accel/kvm/accelerator.h"
#include "accel/kvm/event_transfer.h"
#include "accel/kvm/vcpu.h"
#include "accel/x86/msr.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::kvm {

X86State KvmVcpu::state() {
  X86State state = transfer_.read(true);
  state.mp_state = mp_state_;
  state.pending.nmi |= nmi_.load();
  state.pending.init = init_.load();
  if (const u32 sipi = sipi_.load(); sipi != 0) state.pending.sipi = static_cast<u8>(sipi - 1);
  if (apic_in_kernel()) read_apic(state);
  return state;
}

Result<> KvmVcpu::set_state(const X86State& state) {
  // What was signalled to the processor that was here before is void.
  nmi_.store(false);
  init_.store(state.pending.init);
  sipi_.store(state.pending.sipi ? u32{*state.pending.sipi} + 1 : 0);
  KITE_CHECK(load_state(state));
  KITE_CHECK(write_tsc(state));
  if (apic_in_kernel()) return write_apic(state);
  return {};
}

// All of it but the TSC and what is signalled, which INIT and SIPI leave alone.
Result<> KvmVcpu::load_state(const X86State& state) {
  const ApicRegisters apic = apic_registers(state);
  KITE_CHECK(transfer_.write(state, &apic, true));
  if (!apic_in_kernel()) mp_state_ = state.mp_state;
  renew_run_page(state);
  return {};
}

// At the time of the machine's clock that the state names, all processors' counters agree.
Result<> KvmVcpu::write_tsc(const X86State& state) {
  u64 tsc = state.tsc;
  if (state.tsc_at) {
    const Nanos passed = accelerator_.clock().now() - *state.tsc_at;
    if (passed > 0) tsc += static_cast<u64>(u128(static_cast<u64>(passed)) * tsc_hz_ / kSecond);
  }
  write_msr(fd_.get(), msr::kTsc, tsc);
  write_msr(fd_.get(), msr::kTscAdjust, state.tsc_adjust);
  return {};
}

// What KVM_RUN said of the guest before. An interrupt that ends a HLT must be on its way before the
// guest goes on: a KVM that interprets executes some instructions until it looks for the window.
void KvmVcpu::renew_run_page(const X86State& state) {
  const PendingEvents& pending = state.pending;
  run_.if_flag = (state.rflags & rflags::kIf) != 0;
  run_.ready_for_interrupt_injection = run_.if_flag && !pending.exception && !pending.nmi &&
                                       !pending.sti_shadow && !pending.mov_ss_shadow;
  if (config_.interrupts) interrupt_.store(true);
}

X86State KvmVcpu::lend() {
  X86State state = transfer_.read(false);
  state.mp_state = mp_state_;  // where the local APIC is in the kernel, it runs
  // Before Linux 5.15 KVM also raises #UD, in vain.
  if (state.pending.exception && state.pending.vector == kInvalidOpcode &&
      !state.pending.external) {
    state.pending.exception = false;
    (void)write_events(fd_.get(), accelerator_.device(), state.pending);
  }
  return state;
}

Result<> KvmVcpu::take_back(const X86State& lent, const X86State& now, bool flush) {
  KITE_CHECK(transfer_.write_changes(lent, now, flush));
  // The guest moved its counter: by as much as it changed IA32_TSC_ADJUST (SDM 3B 17.17.3).
  if (now.tsc_adjust != lent.tsc_adjust)
    write_msr(fd_.get(), msr::kTsc, guest_tsc() + (now.tsc_adjust - lent.tsc_adjust));
  renew_run_page(now);
  if (!apic_in_kernel()) mp_state_ = now.mp_state;
  if (!apic_in_kernel() || now.mp_state == lent.mp_state) return {};
  return write_apic(now);
}

}  // namespace kite::kvm
