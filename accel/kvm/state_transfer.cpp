#include "accel/kvm/state_transfer.h"

#include <sys/ioctl.h>

#include <cerrno>

#include "accel/kvm/abi.h"
#include "accel/kvm/event_transfer.h"
#include "accel/x86/registers.h"

namespace kite::kvm {
namespace {

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

Result<> set(int fd, unsigned long request, const void* data, const char* what) {
  if (::ioctl(fd, request, data) >= 0) return {};
  return fail_errno(ErrorKind::kInternal, errno, fmt::format("KVM refuses a vCPU's {}", what));
}

kvm_sregs sregs_of(const X86State& state, kvm_sregs sregs) {
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
  return sregs;
}

bool same_system_registers(const X86State& a, const X86State& b) {
  return a.segments == b.segments && a.ldtr == b.ldtr && a.tr == b.tr && a.gdtr == b.gdtr &&
         a.idtr == b.idtr && a.cr0 == b.cr0 && a.cr2 == b.cr2 && a.cr3 == b.cr3 && a.cr4 == b.cr4 &&
         a.efer == b.efer;
}

kvm_regs regs_of(const X86State& state) {
  kvm_regs regs{};
  for (unsigned i = 0; i < 16; ++i) regs.*kGprs[i] = state.gpr[i];
  regs.rip = state.rip;
  regs.rflags = state.rflags;
  return regs;
}

Result<> write_registers(int fd, const X86State& state) {
  const kvm_regs regs = regs_of(state);
  return set(fd, KVM_SET_REGS, &regs, "registers");
}

// The events of `sregs` stay out of it: they go by KVM_SET_VCPU_EVENTS. `flush`: KVM forgets its
// translations when a control register changes that paging depends on, so one does for a moment.
Result<> write_system_registers(int fd, const X86State& state, const ApicRegisters* apic,
                                bool flush) {
  kvm_sregs old{};
  ::ioctl(fd, KVM_GET_SREGS, &old);
  kvm_sregs sregs = sregs_of(state, old);
  for (auto& word : sregs.interrupt_bitmap) word = 0;
  if (apic) sregs.apic_base = apic->base, sregs.cr8 = apic->cr8;
  if (flush && (sregs.cr0 & cr0::kPg)) {
    kvm_sregs other = sregs;
    other.cr4 ^= cr4::kPge;
    KITE_CHECK(set(fd, KVM_SET_SREGS, &other, "segments and control registers"));
  }
  return set(fd, KVM_SET_SREGS, &sregs, "segments and control registers");
}

Result<> write_debug_registers(int fd, const X86State& state) {
  kvm_debugregs raw{};
  for (unsigned i = 0; i < 4; ++i) raw.db[i] = state.dr[i];
  raw.dr6 = state.dr6;
  raw.dr7 = state.dr7;
  return set(fd, KVM_SET_DEBUGREGS, &raw, "debug registers");
}

}  // namespace

ApicRegisters StateTransfer::read_apic_registers() const {
  kvm_sregs sregs{};
  ::ioctl(fd_, KVM_GET_SREGS, &sregs);
  return {.base = sregs.apic_base, .cr8 = sregs.cr8};
}

X86State StateTransfer::read(bool all) const {
  X86State state;
  read_registers(fd_, state);
  fpu_.read(fd_, state.fpu);
  msrs_.read(fd_, state, all);
  if (all) msrs_.read_others(fd_, state);
  if (device_.capabilities.debug_registers) read_debug_registers(fd_, state);
  read_events(fd_, device_, state);
  return state;
}

Result<> StateTransfer::write(const X86State& state, const ApicRegisters* apic, bool flush) const {
  KITE_CHECK(write_system_registers(fd_, state, apic, flush));
  KITE_CHECK(write_registers(fd_, state));
  KITE_CHECK(fpu_.write(fd_, state.fpu));
  msrs_.write(fd_, state);
  if (device_.capabilities.debug_registers) KITE_CHECK(write_debug_registers(fd_, state));
  return write_events(fd_, device_, state.pending);
}

Result<> StateTransfer::write_changes(const X86State& from, const X86State& to, bool flush) const {
  if (flush || !same_system_registers(from, to))
    KITE_CHECK(write_system_registers(fd_, to, nullptr, flush));
  KITE_CHECK(write_registers(fd_, to));
  if (from.fpu != to.fpu) KITE_CHECK(fpu_.write(fd_, to.fpu, from.fpu.xcr0 != to.fpu.xcr0));
  msrs_.write_changed(fd_, from, to);
  const bool debug = from.dr != to.dr || from.dr6 != to.dr6 || from.dr7 != to.dr7;
  if (debug && device_.capabilities.debug_registers) KITE_CHECK(write_debug_registers(fd_, to));
  return write_changed_events(fd_, device_, from.pending, to.pending);
}

}  // namespace kite::kvm
