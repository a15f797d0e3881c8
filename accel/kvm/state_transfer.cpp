#include "accel/kvm/state_transfer.h"

#include <sys/ioctl.h>

#include <cerrno>
#include <cstddef>

#include "accel/kvm/abi.h"
#include "accel/kvm/fpu_transfer.h"
#include "accel/x86/msr.h"

namespace kite::kvm {
namespace {

// A struct kvm_msrs with one entry.
struct OneMsr {
  u32 count = 1;
  u32 padding = 0;
  kvm_msr_entry entry{};
};
static_assert(offsetof(OneMsr, entry) == sizeof(kvm_msrs));

// X86State's registers that are MSRs to KVM.
struct MsrField {
  u32 index;
  u64 X86State::*field;
};
constexpr MsrField kMsrFields[] = {
    {msr::kStar, &X86State::star},
    {msr::kLstar, &X86State::lstar},
    {msr::kCstar, &X86State::cstar},
    {msr::kSfmask, &X86State::sfmask},
    {msr::kKernelGsBase, &X86State::kernel_gs_base},
    {msr::kSysenterCs, &X86State::sysenter_cs},
    {msr::kSysenterEsp, &X86State::sysenter_esp},
    {msr::kSysenterEip, &X86State::sysenter_eip},
    {msr::kPat, &X86State::pat},
    {msr::kTscAdjust, &X86State::tsc_adjust},
    {msr::kTsc, &X86State::tsc},
    {msr::kTscAux, &X86State::tsc_aux},
    {msr::kMiscEnable, &X86State::misc_enable},
    {msr::kKvmWallClock, &X86State::kvm_wall_clock},
    {msr::kKvmSystemTime, &X86State::kvm_system_time},
    {msr::kMtrrDefType, &X86State::mtrr_def_type},
};

// The MTRRs that are arrays in X86State: use(index, field).
template <class State, class Use>
void each_mtrr(State& state, Use use) {
  for (u32 i = 0; i < state.mtrr_variable.size(); ++i)
    use(msr::kMtrrPhysBase0 + i, state.mtrr_variable[i]);
  use(msr::kMtrrFix64k, state.mtrr_fixed[0]);
  for (u32 i = 0; i < 2; ++i) use(msr::kMtrrFix16k + i, state.mtrr_fixed[1 + i]);
  for (u32 i = 0; i < 8; ++i) use(msr::kMtrrFix4k + i, state.mtrr_fixed[3 + i]);
}

// KVM_GET_MSR_INDEX_LIST leaves the MTRRs out although it has them, and these two are always there.
bool is_known(const Device& device, u32 index) {
  return index == msr::kMtrrDefType || index == msr::kPat || device.has_msr(index);
}

// KVM_GET_REGS names the registers, in the manual's order of numbers but for two pairs.
constexpr __u64 kvm_regs::*kGprs[16] = {
    &kvm_regs::rax, &kvm_regs::rcx, &kvm_regs::rdx, &kvm_regs::rbx, &kvm_regs::rsp, &kvm_regs::rbp,
    &kvm_regs::rsi, &kvm_regs::rdi, &kvm_regs::r8,  &kvm_regs::r9,  &kvm_regs::r10, &kvm_regs::r11,
    &kvm_regs::r12, &kvm_regs::r13, &kvm_regs::r14, &kvm_regs::r15};
constexpr kvm_segment kvm_sregs::*kSegments[6] = {&kvm_sregs::es, &kvm_sregs::cs, &kvm_sregs::ss,
                                                  &kvm_sregs::ds, &kvm_sregs::fs, &kvm_sregs::gs};

Segment from_kvm(const kvm_segment& raw) {
  return {.selector = raw.selector,
          .base = raw.base,
          .limit = raw.limit,
          .type = raw.type,
          .s = raw.s != 0,
          .dpl = raw.dpl,
          .present = raw.present != 0,
          .avl = raw.avl != 0,
          .l = raw.l != 0,
          .db = raw.db != 0,
          .g = raw.g != 0,
          .unusable = raw.unusable != 0};
}

kvm_segment to_kvm(const Segment& segment) {
  kvm_segment raw{};
  raw.selector = segment.selector;
  raw.base = segment.base;
  raw.limit = segment.limit;
  raw.type = segment.type;
  raw.s = segment.s;
  raw.dpl = segment.dpl;
  raw.present = segment.present;
  raw.avl = segment.avl;
  raw.l = segment.l;
  raw.db = segment.db;
  raw.g = segment.g;
  raw.unusable = segment.unusable;
  return raw;
}

DescriptorTable from_kvm(const kvm_dtable& raw) {
  return {.base = raw.base, .limit = raw.limit};
}

kvm_dtable to_kvm(const DescriptorTable& table) {
  kvm_dtable raw{};
  raw.base = table.base;
  raw.limit = table.limit;
  return raw;
}

void read_registers(int fd, X86State& state) {
  kvm_regs regs{};
  ::ioctl(fd, KVM_GET_REGS, &regs);
  for (unsigned i = 0; i < 16; ++i) state.gpr[i] = regs.*kGprs[i];
  state.rip = regs.rip;
  state.rflags = regs.rflags;
  kvm_sregs sregs{};
  ::ioctl(fd, KVM_GET_SREGS, &sregs);
  for (unsigned i = 0; i < 6; ++i) state.segments[i] = from_kvm(sregs.*kSegments[i]);
  state.ldtr = from_kvm(sregs.ldt);
  state.tr = from_kvm(sregs.tr);
  state.gdtr = from_kvm(sregs.gdt);
  state.idtr = from_kvm(sregs.idt);
  state.cr0 = sregs.cr0;
  state.cr2 = sregs.cr2;
  state.cr3 = sregs.cr3;
  state.cr4 = sregs.cr4;
  state.efer = sregs.efer;
}

void read_debug_registers(int fd, X86State& state) {
  kvm_debugregs raw{};
  if (::ioctl(fd, KVM_GET_DEBUGREGS, &raw) < 0) return;
  for (unsigned i = 0; i < 4; ++i) state.dr[i] = raw.db[i];
  state.dr6 = raw.dr6;
  state.dr7 = raw.dr7;
}

// An interrupt that was acknowledged but not yet delivered is an event like an exception, except
// that its vector is no exception's.
PendingEvents read_events(int fd) {
  PendingEvents events;
  kvm_vcpu_events raw{};
  if (::ioctl(fd, KVM_GET_VCPU_EVENTS, &raw) < 0) return events;
  if (raw.exception.injected || raw.exception.pending) {
    events.exception = true;
    events.vector = raw.exception.nr;
    events.has_error_code = raw.exception.has_error_code != 0;
    events.error_code = raw.exception.error_code;
  } else if (raw.interrupt.injected) {
    events.exception = true;
    events.vector = raw.interrupt.nr;
  }
  events.nmi = raw.nmi.injected || raw.nmi.pending;
  // One on its way in blocks itself; taken out and put back, it must not.
  events.nmi_blocked = raw.nmi.masked && !raw.nmi.injected;
  events.sti_shadow = (raw.interrupt.shadow & KVM_X86_SHADOW_INT_STI) != 0;
  events.mov_ss_shadow = (raw.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS) != 0;
  return events;
}

kvm_vcpu_events to_kvm(const PendingEvents& events) {
  kvm_vcpu_events raw{};
  if (events.exception && events.vector < 32) {
    raw.exception.injected = 1;
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
  raw.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
  return raw;
}

Result<> set(int fd, unsigned long request, const void* data, const char* what) {
  if (::ioctl(fd, request, data) >= 0) return {};
  return fail_errno(ErrorKind::kInternal, errno, fmt::format("KVM refuses a vCPU's {}", what));
}

kvm_sregs sregs_of(const X86State& state, const ApicRegisters& apic) {
  kvm_sregs sregs{};
  for (unsigned i = 0; i < 6; ++i) sregs.*kSegments[i] = to_kvm(state.segments[i]);
  sregs.ldt = to_kvm(state.ldtr);
  sregs.tr = to_kvm(state.tr);
  sregs.gdt = to_kvm(state.gdtr);
  sregs.idt = to_kvm(state.idtr);
  sregs.cr0 = state.cr0;
  sregs.cr2 = state.cr2;
  sregs.cr3 = state.cr3;
  sregs.cr4 = state.cr4;
  sregs.efer = state.efer;
  sregs.apic_base = apic.base;
  sregs.cr8 = apic.cr8;
  return sregs;
}

kvm_regs regs_of(const X86State& state) {
  kvm_regs regs{};
  for (unsigned i = 0; i < 16; ++i) regs.*kGprs[i] = state.gpr[i];
  regs.rip = state.rip;
  regs.rflags = state.rflags;
  return regs;
}

kvm_debugregs debug_registers_of(const X86State& state) {
  kvm_debugregs raw{};
  for (unsigned i = 0; i < 4; ++i) raw.db[i] = state.dr[i];
  raw.dr6 = state.dr6;
  raw.dr7 = state.dr7;
  return raw;
}

}  // namespace

std::optional<u64> read_msr(int fd, u32 index) {
  OneMsr one;
  one.entry.index = index;
  if (::ioctl(fd, KVM_GET_MSRS, &one) != 1) return std::nullopt;
  return one.entry.data;
}

bool write_msr(int fd, u32 index, u64 value) {
  OneMsr one;
  one.entry.index = index;
  one.entry.data = value;
  return ::ioctl(fd, KVM_SET_MSRS, &one) == 1;
}

X86State read_state(int fd, const Device& device) {
  X86State state;
  read_registers(fd, state);
  read_fpu(fd, device, state.fpu);
  for (const MsrField& msr : kMsrFields) {
    if (is_known(device, msr.index)) {
      state.*msr.field = read_msr(fd, msr.index).value_or(state.*msr.field);
    }
  }
  each_mtrr(state, [&](u32 index, u64& field) { field = read_msr(fd, index).value_or(field); });
  if (device.capabilities.debug_registers) read_debug_registers(fd, state);
  state.pending = read_events(fd);
  return state;
}

ApicRegisters read_apic_registers(int fd) {
  kvm_sregs sregs{};
  ::ioctl(fd, KVM_GET_SREGS, &sregs);
  return {.base = sregs.apic_base, .cr8 = sregs.cr8};
}

Result<> write_state(int fd, const Device& device, const X86State& state,
                     const ApicRegisters& apic) {
  const kvm_sregs sregs = sregs_of(state, apic);
  const kvm_regs regs = regs_of(state);
  KITE_CHECK(set(fd, KVM_SET_SREGS, &sregs, "segments and control registers"));
  KITE_CHECK(set(fd, KVM_SET_REGS, &regs, "registers"));
  KITE_CHECK(write_fpu(fd, device, state.fpu));
  // One by one: what this host does not have is left alone, and must not keep back the rest.
  for (const MsrField& msr : kMsrFields) {
    if (is_known(device, msr.index)) write_msr(fd, msr.index, state.*msr.field);
  }
  each_mtrr(state, [&](u32 index, u64 field) { write_msr(fd, index, field); });
  if (device.capabilities.debug_registers) {
    const kvm_debugregs debug = debug_registers_of(state);
    KITE_CHECK(set(fd, KVM_SET_DEBUGREGS, &debug, "debug registers"));
  }
  const kvm_vcpu_events events = to_kvm(state.pending);
  return set(fd, KVM_SET_VCPU_EVENTS, &events, "pending events");
}

}  // namespace kite::kvm
