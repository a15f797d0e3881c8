// KernelChips: the interrupt controllers and the 8254 that KVM has in the kernel.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "accel/accelerator.h"
#include "accel/kvm/abi.h"
#include "accel/kvm/device.h"
#include "accel/kvm/routes.h"

namespace kite::kvm {

// How the wires' numbers lead to the chips' pins: see InterruptChips.
std::vector<kvm_irq_routing_entry> chip_routes();
Result<> set_routes(int vm_fd, const std::vector<kvm_irq_routing_entry>& routes);

class KernelChips : public InterruptChips {
 public:
  // Before the first vCPU.
  static Result<std::unique_ptr<KernelChips>> create(int vm_fd, const Capabilities& capabilities);

  void set_irq(unsigned number, bool level) override;
  void send_msi(u64 address, u32 data) override;
  void set_hpet_replaces(bool on) override;
  InterruptEvents* events() override { return events_ ? &*events_ : nullptr; }
  Result<ChipStates> save() override;
  Result<> load(const ChipStates& states, u32 levels) override;

 private:
  KernelChips(int vm_fd, const Capabilities& capabilities) : vm_fd_(vm_fd) {
    if (capabilities.event_interrupts) events_.emplace(vm_fd, capabilities.interrupt_numbers);
  }
  Result<> load_pics(const ChipStates& states, bool masked);
  Result<> load_io_apic(const IoApicState& state, u32 levels, bool masked);
  Result<> get(u32 chip, kvm_irqchip& to);
  Result<> set(const kvm_irqchip& from);

  const int vm_fd_;
  std::optional<EventRoutes> events_;
  std::mutex mutex_;  // of the 8254's flags, which are read and written back
};

// A vCPU's local APIC, but for its deadline. Errors say what KVM refuses.
Result<LocalApicState> read_local_apic(int vcpu_fd);
Result<> write_local_apic(int vcpu_fd, const LocalApicState& state);

}  // namespace kite::kvm
