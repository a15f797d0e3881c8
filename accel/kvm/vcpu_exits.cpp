#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "accel/kvm/accelerator.h"
#include "accel/kvm/vcpu.h"
#include "accel/x86/msr.h"
#include "accel/x86/msr_policy.h"
#include "base/bits.h"
#include "base/trace.h"

namespace kite::kvm {

KvmVcpu::Step KvmVcpu::handle_exit() {
  switch (run_.exit_reason) {
    case KVM_EXIT_IO:
      serve_port();
      return std::nullopt;
    case KVM_EXIT_MMIO:
      serve_memory();
      return std::nullopt;
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR:
      serve_msr();
      return std::nullopt;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR:  // CR8 was taken over already
    case KVM_EXIT_NMI:
      return std::nullopt;
    case KVM_EXIT_HLT:
      return handle_halt();
    case KVM_EXIT_SHUTDOWN:
      return Exit{Exit::Kind::kShutdown};
    case KVM_EXIT_DEBUG:
      return Exit{Exit::Kind::kDebug};
    case KVM_EXIT_DIRTY_RING_FULL:
      accelerator_.slots().dirty_ring_full();
      return std::nullopt;
    case KVM_EXIT_SYSTEM_EVENT:
      return handle_system_event();
    case KVM_EXIT_FAIL_ENTRY:
      return fail(ErrorKind::kInternal,
                  "KVM: the processor refuses to enter vCPU {}: hardware reason {:#x}",
                  config_.index, u64{run_.fail_entry.hardware_entry_failure_reason});
    case KVM_EXIT_INTERNAL_ERROR:
      return handle_internal_error();
    default:
      return fail(ErrorKind::kInternal,
                  "KVM: vCPU {} came back for a reason Kite does not know: {}", config_.index,
                  u32{run_.exit_reason});
  }
}

// The interrupt that ends the HLT may have come while KVM_RUN was on its way out, so the loop looks
// once more before it leaves.
KvmVcpu::Step KvmVcpu::handle_halt() {
  mp_state_ = MpState::kHalted;
  return std::nullopt;
}

KvmVcpu::Step KvmVcpu::handle_system_event() {
  if (run_.system_event.type == KVM_SYSTEM_EVENT_RESET) return Exit{Exit::Kind::kReset};
  return Exit{Exit::Kind::kShutdown};
}

void KvmVcpu::serve_port() {
  const u16 port = run_.io.port;
  const unsigned size = run_.io.size;
  u8* data = page_.at(run_.io.data_offset);
  const u32 count = run_.io.count;  // of an INS or OUTS with REP, as far as KVM took it
  for (u32 i = 0; i < count; ++i, data += size) {
    u32 value = 0;
    if (run_.io.direction == KVM_EXIT_IO_OUT) {
      std::memcpy(&value, data, size);
      accelerator_.ports().out(port, value, size);
    } else {
      value = accelerator_.ports().in(port, size);
      std::memcpy(data, &value, size);
    }
  }
  access_open_ = true;
}

void KvmVcpu::serve_memory() {
  const u64 address = run_.mmio.phys_addr;
  const u32 size = std::min<u32>(run_.mmio.len, sizeof run_.mmio.data);
  if (run_.mmio.is_write) {
    accelerator_.memory().write(address, {run_.mmio.data, size});
  } else {
    accelerator_.memory().read(address, {run_.mmio.data, size});
  }
  access_open_ = true;
}

void KvmVcpu::serve_msr() {
  const u32 index = run_.msr.index;
  // Of a register that KVM has, nothing but an invalid access comes here, and that raises #GP.
  const bool is_unknown =
      run_.msr.reason == KVM_MSR_EXIT_REASON_UNKNOWN && !msr::belongs_to_apic(index);
  bool ok = is_unknown && is_harmless_msr(index);
  if (is_unknown && !ok)
    log_unknown_msr(run_.exit_reason == KVM_EXIT_X86_RDMSR ? "read" : "write", index, "#GP");
  if (run_.exit_reason == KVM_EXIT_X86_RDMSR) {
    u64 value = 0;
    ok = ok || read_apic_msr(index, value);
    run_.msr.data = value;
    trace::write(trace::Category::kMsr, "read  {:#x} -> {:#x}{}", index, value, ok ? "" : " #GP");
  } else {
    ok = ok || write_apic_msr(index, run_.msr.data);
    trace::write(trace::Category::kMsr, "write {:#x} <- {:#x}{}", index, u64{run_.msr.data},
                 ok ? "" : " #GP");
  }
  run_.msr.error = !ok;
  access_open_ = true;
}

namespace {

// The guest is told that there is no TSC-deadline mode (see cpuid.cpp).
bool is_machines(u32 index) {
  return msr::belongs_to_apic(index) && index != msr::kTscDeadline;
}

}  // namespace

bool KvmVcpu::read_apic_msr(u32 index, u64& value) {
  return config_.interrupts && is_machines(index) && config_.interrupts->read_msr(index, value);
}

bool KvmVcpu::write_apic_msr(u32 index, u64 value) {
  return config_.interrupts && is_machines(index) && config_.interrupts->write_msr(index, value);
}

u64 KvmVcpu::guest_tsc() {
  return read_msr(fd_.get(), msr::kTsc).value_or(0);
}

std::string KvmVcpu::instruction_bytes(u64 linear) {
  constexpr unsigned kLongest = 15;
  std::string text;
  for (unsigned i = 0; i < kLongest; ++i) {
    kvm_translation translation{};
    translation.linear_address = linear + i;
    if (::ioctl(fd_.get(), KVM_TRANSLATE, &translation) < 0 || !translation.valid) break;
    std::span<const u8> byte = accelerator_.memory().ram(translation.physical_address, 1, false);
    if (byte.empty()) break;
    text += fmt::format("{}{:02x}", i ? " " : "", byte[0]);
  }
  return text.empty() ? "that cannot be read" : text;
}

// KVM emulates an instruction that reaches registers, or all of them where it has no other way; it
// knows only some.
KvmVcpu::Step KvmVcpu::handle_internal_error() {
  if (run_.internal.suberror == KVM_INTERNAL_ERROR_EMULATION) return Exit{Exit::Kind::kUnable};
  return tl::unexpected<Error>(why_unable());
}

Error KvmVcpu::why_unable() {
  kvm_regs regs{};
  kvm_sregs sregs{};
  ::ioctl(fd_.get(), KVM_GET_REGS, &regs);
  ::ioctl(fd_.get(), KVM_GET_SREGS, &sregs);
  const char* what = "fails inside";
  if (run_.internal.suberror == KVM_INTERNAL_ERROR_EMULATION) what = "cannot execute";
  if (run_.internal.suberror == KVM_INTERNAL_ERROR_DELIVERY_EV) what = "cannot deliver an event at";
  return {ErrorKind::kInternal,
          fmt::format("KVM {} the instruction at RIP {:#x} of vCPU {} (suberror {}); its bytes: {}",
                      what, u64{regs.rip}, config_.index, u32{run_.internal.suberror},
                      instruction_bytes(sregs.cs.base + regs.rip))};
}

}  // namespace kite::kvm
