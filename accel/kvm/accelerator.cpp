#include "accel/kvm/accelerator.h"

#include <fmt/ranges.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "accel/kvm/abi.h"
#include "accel/kvm/derived_memory.h"
#include "accel/kvm/vcpu.h"
#include "accel/x86/msr.h"
#include "base/log.h"

namespace kite::kvm {
namespace {

// Three pages that Intel processors without "unrestricted guest" need to run real mode, and one for
// its page table: below the I/O APIC's neighbours, where no board maps anything.
constexpr u64 kIdentityMapAddress = 0xfeffc000;
constexpr u64 kTssAddress = 0xfeffd000;

Result<UniqueFd> create_vm(int device) {
  for (;;) {
    UniqueFd vm(::ioctl(device, KVM_CREATE_VM, 0));
    if (vm.valid()) return vm;
    if (errno == EINTR) continue;  // a signal while KVM allocates
    return fail_errno(ErrorKind::kUnavailable, errno, "KVM cannot create a virtual machine");
  }
}

// Shall the interrupt controllers be KVM's?
Result<bool> decide_kernel_chips(const Capabilities& can, const AcceleratorOptions& options) {
  const bool wanted = options.kernel_irqchip.value_or(can.irqchip);
  if (wanted && !can.irqchip) {
    return fail(ErrorKind::kUnavailable,
                "KVM on this host has no interrupt controllers, or is too old for Kite's use of "
                "them: kernel-irqchip=off does without");
  }
  return wanted;
}

}  // namespace

Result<std::unique_ptr<Accelerator>> KvmAccelerator::create(const AcceleratorConfig& config) {
  Device device = KITE_TRY(open_device("/dev/kvm"));
  const bool kernel_chips = KITE_TRY(decide_kernel_chips(device.capabilities, config.options));
  UniqueFd vm = KITE_TRY(create_vm(device.fd.get()));
  std::vector<std::string_view> missing;
  CpuModel model = KITE_TRY(usable_model(device, config.model, kernel_chips, missing));
  if (!missing.empty()) {
    log::info("KVM on this host cannot give the guest: {}", fmt::join(missing, " "));
  }
  if (const u32 recommended = device.capabilities.recommended_vcpus; config.cpus > recommended) {
    log::info("KVM on this host recommends at most {} processors for a machine, not {}",
              recommended, config.cpus);
  }
  std::unique_ptr<KvmAccelerator> accelerator(
      new KvmAccelerator(config, std::move(device), std::move(vm), std::move(model)));
  KITE_CHECK(accelerator->set_up_vm(kernel_chips));
  KITE_CHECK(accelerator->set_up_memory(config.options));
  KITE_CHECK(accelerator->slots_->health());
  return accelerator;
}

KvmAccelerator::KvmAccelerator(const AcceleratorConfig& config, Device device, UniqueFd vm,
                               CpuModel model)
    : device_(std::move(device)),
      vm_(std::move(vm)),
      model_(std::move(model)),
      memory_(config.memory),
      ports_(config.ports),
      clock_(config.clock) {}

KvmAccelerator::~KvmAccelerator() {
  if (doorbells_) {
    doorbells_->end();
    ports_.remove_listener(*doorbells_);
    memory_.remove_listener(*doorbells_);
  }
  if (!slots_) return;
  memory_.dirty_log().remove_source(*slots_);
  memory_.remove_listener(*slots_);
}

bool KvmAccelerator::enable(u32 capability, u64 argument) {
  kvm_enable_cap enable{};
  enable.cap = capability;
  enable.args[0] = argument;
  return ::ioctl(vm_.get(), KVM_ENABLE_CAP, &enable) >= 0;
}

void KvmAccelerator::forget_derived() {
  gate_.close();
  forget_shadow_pages(vm_.get(), device_.capabilities.memory_slots - 1);
  gate_.open();
}

Result<> KvmAccelerator::set_up_memory(const AcceleratorOptions& options) {
  auto tracker = KITE_TRY(make_dirty_tracker(vm_.get(), options.dirty_ring_size, gate_));
  const Capabilities& can = device_.capabilities;
  slots_ = std::make_unique<Slots>(
      Slots::Facts{
          .vm_fd = vm_.get(), .count = can.memory_slots, .readonly_possible = can.readonly_memory},
      gate_, memory_.dirty_log(), std::move(tracker));
  memory_.add_listener(*slots_);
  memory_.dirty_log().add_source(*slots_);
  if (!can.doorbells) return {};
  doorbells_ = std::make_unique<Doorbells>(vm_.get(), can.doorbells_any_length);
  memory_.add_listener(*doorbells_);
  ports_.add_listener(*doorbells_);
  return {};
}

Result<> KvmAccelerator::set_up_vm(bool kernel_chips) {
  u64 identity = kIdentityMapAddress;
  ::ioctl(vm_.get(), KVM_SET_IDENTITY_MAP_ADDR, &identity);  // has a default where it is missing
  if (::ioctl(vm_.get(), KVM_SET_TSS_ADDR, kTssAddress) < 0) {
    return fail_errno(ErrorKind::kUnavailable, errno, "KVM refuses the address of its TSS");
  }
  if (device_.capabilities.exception_payload)
    device_.capabilities.exception_payload = enable(KVM_CAP_EXCEPTION_PAYLOAD, 1);
  // Else a program at CPL 3 gets #UD for what KVM's own interpreter does not know.
  if (device_.capabilities.emulation_failure_exit) enable(KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1);
  if (device_.capabilities.triple_fault_event)
    device_.capabilities.triple_fault_event = enable(KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1);
  // The paravirtual clock is the machine's, whichever accelerator tells it.
  kvm_clock_data clock{};
  clock.clock = static_cast<u64>(clock_.now());
  ::ioctl(vm_.get(), KVM_SET_CLOCK, &clock);
  shadows_page_tables_ = kvm::shadows_page_tables();
  if (kernel_chips) chips_ = KITE_TRY(KernelChips::create(vm_.get(), device_.capabilities));
  return route_msrs();
}

// Where the interrupt controller is the machine's, accesses to its MSRs come out of KVM_RUN. The
// x2APIC range does by itself, because KVM knows no local APIC there and finds the registers
// invalid.
Result<> KvmAccelerator::route_msrs() {
  if (!device_.capabilities.user_space_msr || !device_.capabilities.msr_filter) return {};
  kvm_enable_cap enable{};
  enable.cap = KVM_CAP_X86_USER_SPACE_MSR;
  enable.args[0] =
      KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER;
  if (::ioctl(vm_.get(), KVM_ENABLE_CAP, &enable) < 0) {
    return fail_errno(ErrorKind::kUnavailable, errno, "KVM refuses exits for MSRs");
  }
  if (chips_) return {};
  u8 deny = 0;  // a clear bit denies
  kvm_msr_filter filter{};
  filter.flags = KVM_MSR_FILTER_DEFAULT_ALLOW;
  int n = 0;
  for (u32 index : {msr::kApicBase, msr::kTscDeadline}) {
    filter.ranges[n++] = {.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
                          .nmsrs = 1,
                          .base = index,
                          .bitmap = &deny};
  }
  if (::ioctl(vm_.get(), KVM_X86_SET_MSR_FILTER, &filter) < 0) {
    return fail_errno(ErrorKind::kUnavailable, errno, "KVM refuses the MSR filter");
  }
  return {};
}

Result<std::unique_ptr<Vcpu>> KvmAccelerator::create_vcpu(const VcpuConfig& config) {
  UniqueFd fd(::ioctl(vm_.get(), KVM_CREATE_VCPU, static_cast<unsigned long>(config.apic_id)));
  if (!fd.valid()) {
    return fail_errno(ErrorKind::kUnavailable, errno,
                      fmt::format("KVM cannot create vCPU {}", config.index));
  }
  KITE_CHECK(slots_->add_vcpu(fd.get()));
  return KvmVcpu::create(*this, config, std::move(fd));
}

}  // namespace kite::kvm
