#include "accel/kvm/device.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "accel/kvm/abi.h"
#include "accel/kvm/requests.h"

namespace kite::kvm {
namespace {

struct Need {
  int capability;
  const char* name;
};

// What every KVM on x86 since Linux 4.13 (2017) has.
constexpr Need kNeeds[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    {KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
    {KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS"},
};

std::string sentence_for(int error_number, const std::string& path) {
  switch (error_number) {
    case ENOENT:
      return path + " does not exist: the kernel has no KVM, or its module is not loaded";
    case ENODEV:
    case ENXIO:
      return path +
             " has no driver behind it: the processor offers no virtualization, or it is "
             "switched off in the firmware";
    case EACCES:
    case EPERM:
      return path + " may not be opened by this user: it usually belongs to the group 'kvm'";
    case EBUSY:
      return path + " is in use by another hypervisor";
    default:
      return path + " cannot be opened";
  }
}

bool is_sentence_complete(int error_number) {
  return error_number == ENOENT || error_number == ENODEV || error_number == ENXIO ||
         error_number == EACCES || error_number == EPERM || error_number == EBUSY;
}

Result<UniqueFd> open_file(const std::string& path) {
  const char* name = path == device_name().c_str() ? device_name().c_str() : path.c_str();
  UniqueFd fd(::open(name, O_RDWR | O_CLOEXEC));
  if (fd.valid()) return fd;
  int error_number = errno;
  std::string sentence = sentence_for(error_number, path);
  if (is_sentence_complete(error_number)) return fail(ErrorKind::kUnavailable, "{}", sentence);
  return fail_errno(ErrorKind::kUnavailable, error_number, sentence);
}

Result<> check_version(Control control, int fd, const std::string& path) {
  int version = control(fd, KVM_GET_API_VERSION, 0);
  if (version < 0) return fail(ErrorKind::kUnavailable, "{} is not a KVM device", path);
  if (version != KVM_API_VERSION) {
    return fail(ErrorKind::kUnavailable, "{} speaks KVM API version {}, Kite needs {}", path,
                version, KVM_API_VERSION);
  }
  return {};
}

bool has(int fd, int capability, Control control = real_ioctl) {
  return control(fd, KVM_CHECK_EXTENSION, static_cast<unsigned long>(capability)) > 0;
}

u32 amount(int fd, int capability, u32 otherwise) {
  const int told = ::ioctl(fd, KVM_CHECK_EXTENSION, capability);
  return told > 0 ? static_cast<u32>(told) : otherwise;
}

Capabilities capabilities_of(int fd) {
  Capabilities found;
  found.readonly_memory = has(fd, KVM_CAP_READONLY_MEM);
  found.user_space_msr = has(fd, KVM_CAP_X86_USER_SPACE_MSR);
  found.msr_filter = has(fd, KVM_CAP_X86_MSR_FILTER);
  found.xsave = has(fd, KVM_CAP_XSAVE);
  found.xcrs = has(fd, KVM_CAP_XCRS);
  found.debug_registers = has(fd, KVM_CAP_DEBUGREGS);
  found.tsc_control = has(fd, KVM_CAP_TSC_CONTROL);
  found.user_nmi = has(fd, KVM_CAP_USER_NMI);
  found.exception_payload = has(fd, KVM_CAP_EXCEPTION_PAYLOAD);
  found.irqchip = has(fd, KVM_CAP_IRQCHIP) && has(fd, KVM_CAP_IRQ_ROUTING) &&
                  has(fd, KVM_CAP_PIT2) && has(fd, KVM_CAP_PIT_STATE2) &&
                  has(fd, KVM_CAP_SIGNAL_MSI) && has(fd, KVM_CAP_MP_STATE);
  found.tsc_deadline = has(fd, KVM_CAP_TSC_DEADLINE_TIMER);
  found.x2apic_ids = has(fd, KVM_CAP_X2APIC_API);
  found.reinject_control = has(fd, KVM_CAP_REINJECT_CONTROL);
  found.doorbells = has(fd, KVM_CAP_IOEVENTFD);
  found.doorbells_any_length = has(fd, KVM_CAP_IOEVENTFD_ANY_LENGTH);
  found.event_interrupts = has(fd, KVM_CAP_IRQFD) && has(fd, KVM_CAP_IRQFD_RESAMPLE);
  found.interrupt_numbers = amount(fd, KVM_CAP_IRQ_ROUTING, found.interrupt_numbers);
  found.memory_slots = amount(fd, KVM_CAP_NR_MEMSLOTS, found.memory_slots);
  // Documentation/virt/kvm/api.rst, KVM_CREATE_VCPU: what to assume where one is not told.
  found.recommended_vcpus = amount(fd, KVM_CAP_NR_VCPUS, found.recommended_vcpus);
  found.max_vcpus = amount(fd, KVM_CAP_MAX_VCPUS, found.recommended_vcpus);
  found.triple_fault_event = has(fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT);
  found.emulation_failure_exit = has(fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE);
  return found;
}

Result<std::vector<u32>> msr_list(int fd) {
  kvm_msr_list probe{};  // tells how many there are, with E2BIG
  ::ioctl(fd, KVM_GET_MSR_INDEX_LIST, &probe);
  std::vector<u32> buffer(1 + std::min<u32>(probe.nmsrs, 4096));
  buffer[0] = static_cast<u32>(buffer.size() - 1);
  if (::ioctl(fd, KVM_GET_MSR_INDEX_LIST, buffer.data()) < 0) {
    return fail_errno(ErrorKind::kUnavailable, errno, "KVM does not list its MSRs");
  }
  std::vector<u32> list(buffer.begin() + 1, buffer.begin() + 1 + buffer[0]);
  std::ranges::sort(list);
  return list;
}

}  // namespace

bool Device::has_msr(u32 index) const {
  return std::ranges::binary_search(msrs, index);
}

int real_ioctl(int fd, unsigned long request, unsigned long argument) {
  return ::ioctl(fd, request, argument);
}

Result<Device> open_device(const std::string& path, Control control) {
  Device device;
  device.fd = KITE_TRY(open_file(path));
  int fd = device.fd.get();
  KITE_CHECK(check_version(control, fd, path));
  for (const Need& need : kNeeds) {
    if (has(fd, need.capability, control)) continue;
    return fail(ErrorKind::kUnavailable, "{} lacks {}: the host's kernel is too old", path,
                need.name);
  }
  device.capabilities = capabilities_of(fd);
  device.msrs = KITE_TRY(msr_list(fd));
  int size = ::ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < static_cast<int>(sizeof(kvm_run))) {
    return fail(ErrorKind::kUnavailable, "{}: a vCPU's shared page of {} bytes is too small", path,
                size);
  }
  device.run_size = static_cast<std::size_t>(size);
  return device;
}

}  // namespace kite::kvm
