#include "accel/kvm/event_transfer.h"

#include <sys/ioctl.h>

#include <cerrno>

#include "accel/kvm/abi.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::kvm {
namespace {

// What an exception that is raised but not delivered has yet to write (KVM_CAP_EXCEPTION_PAYLOAD).
void apply_payload(const kvm_vcpu_events& raw, X86State& state) {
  constexpr u64 kTraps = 0xf | dr6::kBd | dr6::kBs | 1 << 15;
  if (!raw.exception_has_payload) return;
  if (raw.exception.nr == kPageFault) state.cr2 = raw.exception_payload;
  if (raw.exception.nr == kDebugException)
    state.dr6 = (state.dr6 & ~kTraps) | (raw.exception_payload & kTraps);
}

// On its way by INT n, INT3 or INTO, with RIP still at the instruction, whose length only KVM
// knows: it comes again when the instruction is executed again.
bool is_repeated(const kvm_vcpu_events& raw) {
  if (raw.exception.injected)
    return raw.exception.nr == kBreakpoint || raw.exception.nr == kOverflow;
  return raw.interrupt.injected && raw.interrupt.soft;
}

kvm_vcpu_events to_kvm(const PendingEvents& events, bool payloads) {
  kvm_vcpu_events raw{};
  const bool external = events.external || events.vector >= kExceptionVectors;
  if (events.exception && !external) {
    (payloads ? raw.exception.pending : raw.exception.injected) = 1;
    raw.exception.nr = events.vector;
    raw.exception.has_error_code = events.has_error_code;
    raw.exception.error_code = events.error_code;
  } else if (events.exception) {
    raw.interrupt.injected = 1;
    raw.interrupt.nr = events.vector;
  }
  raw.nmi.pending = events.nmi;
  raw.nmi.masked = events.nmi_blocked;
  if (events.sti_shadow) raw.interrupt.shadow |= KVM_X86_SHADOW_INT_STI;
  if (events.mov_ss_shadow) raw.interrupt.shadow |= KVM_X86_SHADOW_INT_MOV_SS;
  raw.flags = KVM_VCPUEVENT_VALID_SHADOW;
  if (payloads) raw.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
  return raw;
}

Result<> set(int fd, const kvm_vcpu_events& raw) {
  if (::ioctl(fd, KVM_SET_VCPU_EVENTS, &raw) >= 0) return {};
  return fail_errno(ErrorKind::kInternal, errno, "KVM refuses a vCPU's pending events");
}

kvm_vcpu_events with_triple_fault(kvm_vcpu_events raw, const Device& device, bool pending) {
  if (!device.capabilities.triple_fault_event) return raw;
  raw.flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
  raw.triple_fault.pending = pending;
  return raw;
}

}  // namespace

// An interrupt that was acknowledged but not yet delivered is an event like an exception.
void read_events(int fd, const Device& device, X86State& state) {
  kvm_vcpu_events raw{};
  if (::ioctl(fd, KVM_GET_VCPU_EVENTS, &raw) < 0) return;
  PendingEvents& events = state.pending;
  if (!is_repeated(raw) && (raw.exception.injected || raw.exception.pending)) {
    events.exception = true;
    events.vector = raw.exception.nr;
    events.has_error_code = raw.exception.has_error_code != 0;
    events.error_code = raw.exception.error_code;
    if (raw.exception.pending && device.capabilities.exception_payload) apply_payload(raw, state);
  } else if (!is_repeated(raw) && raw.interrupt.injected) {
    events.exception = events.external = true;
    events.vector = raw.interrupt.nr;
  }
  events.triple_fault = device.capabilities.triple_fault_event && raw.triple_fault.pending;
  events.nmi = raw.nmi.injected || raw.nmi.pending;
  // One on its way in blocks itself; taken out and put back, it must not.
  events.nmi_blocked = raw.nmi.masked && !raw.nmi.injected;
  events.sti_shadow = (raw.interrupt.shadow & KVM_X86_SHADOW_INT_STI) != 0;
  events.mov_ss_shadow = (raw.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS) != 0;
}

Result<> write_events(int fd, const Device& device, const PendingEvents& events) {
  kvm_vcpu_events raw = to_kvm(events, device.capabilities.exception_payload);
  raw.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
  return set(fd, with_triple_fault(raw, device, events.triple_fault));
}

Result<> write_changed_events(int fd, const Device& device, const PendingEvents& from,
                              const PendingEvents& to) {
  if (from == to) return {};
  kvm_vcpu_events raw = to_kvm(to, device.capabilities.exception_payload);
  if (from.nmi != to.nmi) raw.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
  return set(fd, with_triple_fault(raw, device, to.triple_fault));
}

}  // namespace kite::kvm
