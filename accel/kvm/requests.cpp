#include "accel/kvm/requests.h"

#include "accel/kvm/abi.h"

namespace kite::kvm {
namespace {

// What an older header does not have stays out.
constexpr unsigned long kMachine[] = {
    KVM_RUN,
    // a processor
    KVM_GET_REGS,
    KVM_SET_REGS,
    KVM_GET_SREGS,
    KVM_SET_SREGS,
    KVM_GET_FPU,
    KVM_SET_FPU,
    KVM_GET_XSAVE,
    KVM_SET_XSAVE,
    KVM_GET_XCRS,
    KVM_SET_XCRS,
    KVM_GET_DEBUGREGS,
    KVM_SET_DEBUGREGS,
    KVM_GET_MSRS,
    KVM_SET_MSRS,
    KVM_GET_VCPU_EVENTS,
    KVM_SET_VCPU_EVENTS,
    KVM_GET_MP_STATE,
    KVM_SET_MP_STATE,
    KVM_GET_LAPIC,
    KVM_SET_LAPIC,
    KVM_GET_CPUID2,
    KVM_SET_CPUID2,
    KVM_GET_TSC_KHZ,
    KVM_SET_TSC_KHZ,
    KVM_TRANSLATE,
    KVM_INTERRUPT,
    KVM_NMI,
    KVM_SET_GUEST_DEBUG,
    KVM_KVMCLOCK_CTRL,
    KVM_SET_SIGNAL_MASK,
    KVM_TPR_ACCESS_REPORTING,
    // memory
    KVM_SET_USER_MEMORY_REGION,
    KVM_GET_DIRTY_LOG,
    KVM_CLEAR_DIRTY_LOG,
    KVM_RESET_DIRTY_RINGS,
    // interrupts and clocks
    KVM_IRQ_LINE,
    KVM_IRQ_LINE_STATUS,
    KVM_SIGNAL_MSI,
    KVM_GET_IRQCHIP,
    KVM_SET_IRQCHIP,
    KVM_GET_PIT2,
    KVM_SET_PIT2,
    KVM_REINJECT_CONTROL,
    KVM_IRQFD,
    KVM_IOEVENTFD,
    KVM_SET_GSI_ROUTING,
    KVM_GET_CLOCK,
    KVM_SET_CLOCK,
    KVM_CHECK_EXTENSION,
#ifdef KVM_SET_USER_MEMORY_REGION2
    KVM_SET_USER_MEMORY_REGION2,
#endif
#ifdef KVM_GET_SREGS2
    KVM_GET_SREGS2,
    KVM_SET_SREGS2,
#endif
#ifdef KVM_GET_XSAVE2
    KVM_GET_XSAVE2,
#endif
#ifdef KVM_GET_STATS_FD
    KVM_GET_STATS_FD,
#endif
#ifdef KVM_GET_DEVICE_ATTR
    KVM_GET_DEVICE_ATTR,
    KVM_SET_DEVICE_ATTR,
    KVM_HAS_DEVICE_ATTR,
#endif
};

constexpr unsigned long kCreation[] = {
    KVM_GET_API_VERSION,
    KVM_CREATE_VM,
    KVM_GET_VCPU_MMAP_SIZE,
    KVM_GET_SUPPORTED_CPUID,
    KVM_GET_MSR_INDEX_LIST,
    KVM_GET_MSR_FEATURE_INDEX_LIST,
    KVM_CREATE_VCPU,
    KVM_CREATE_IRQCHIP,
    KVM_CREATE_PIT2,
    KVM_SET_TSS_ADDR,
    KVM_SET_IDENTITY_MAP_ADDR,
    KVM_ENABLE_CAP,
    KVM_SET_BOOT_CPU_ID,
    KVM_X86_SETUP_MCE,
    KVM_X86_GET_MCE_CAP_SUPPORTED,
    KVM_GET_EMULATED_CPUID,
#ifdef KVM_X86_SET_MSR_FILTER
    KVM_X86_SET_MSR_FILTER,
#endif
};

}  // namespace

std::span<const unsigned long> machine_requests() {
  return kMachine;
}

std::span<const unsigned long> creation_requests() {
  return kCreation;
}

const FixedName& device_name() {
  static const FixedName name("/dev/kvm", FixedName::Use::kReadWrite);
  return name;
}

const FixedName& ept_parameter() {
  static const FixedName name("/sys/module/kvm_intel/parameters/ept", FixedName::Use::kRead);
  return name;
}

const FixedName& npt_parameter() {
  static const FixedName name("/sys/module/kvm_amd/parameters/npt", FixedName::Use::kRead);
  return name;
}

void name_files() {
  device_name();
  ept_parameter();
  npt_parameter();
}

}  // namespace kite::kvm
