// The opened /dev/kvm and what it can do.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace kite::kvm {

// Capabilities that Kite uses where they are and does without where they are not.
struct Capabilities {
  bool readonly_memory = false;
  bool user_space_msr = false;  // with the MSR filter
  bool msr_filter = false;
  bool xsave = false;
  bool xcrs = false;
  bool debug_registers = false;
  bool tsc_control = false;
  bool user_nmi = false;
  bool exception_payload = false;
  bool irqchip = false;  // interrupt controllers and 8254 in the kernel, with all that Kite uses
  bool tsc_deadline = false;  // of the local APICs in the kernel
  bool x2apic_ids = false;    // identifiers of 32 bits, and no 8-bit broadcasts in x2APIC mode
  bool reinject_control = false;
  bool triple_fault_event = false;
  bool emulation_failure_exit = false;  // KVM_CAP_EXIT_ON_EMULATION_FAILURE
  bool doorbells = false;               // KVM_CAP_IOEVENTFD
  bool doorbells_any_length = false;    // KVM_CAP_IOEVENTFD_ANY_LENGTH
  bool event_interrupts = false;        // KVM_CAP_IRQFD with resample
  u32 interrupt_numbers = 0;            // KVM_CAP_IRQ_ROUTING
  u32 memory_slots = 32;                // what KVM promises at least
  u32 recommended_vcpus = 4;
  u32 max_vcpus = 4;
};

struct Device {
  UniqueFd fd;
  Capabilities capabilities;
  std::vector<u32> msrs;     // those KVM can save and restore
  std::size_t run_size = 0;  // of a vCPU's shared page

  bool has_msr(u32 index) const;
};

// ioctl(2), for a test to stand in for an old kernel.
using Control = int (*)(int fd, unsigned long request, unsigned long argument);
int real_ioctl(int fd, unsigned long request, unsigned long argument);

// Each failure is its own sentence. `control` is asked for the version and for what Kite needs.
Result<Device> open_device(const std::string& path, Control control = real_ioctl);

}  // namespace kite::kvm
