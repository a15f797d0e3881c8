// KvmAccelerator: one KVM virtual machine, its memory slots and what its vCPUs share.
#pragma once

#include "accel/accelerator.h"
#include "accel/kvm/cpuid.h"
#include "accel/kvm/device.h"
#include "accel/kvm/gate.h"
#include "accel/kvm/irqchip.h"
#include "accel/kvm/slots.h"

namespace kite::kvm {

class KvmAccelerator : public Accelerator {
 public:
  static Result<std::unique_ptr<Accelerator>> create(const AcceleratorConfig& config);
  ~KvmAccelerator() override;

  std::string_view name() const override { return "kvm"; }
  Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig& config) override;
  InterruptChips* chips() override { return chips_.get(); }

  // For the vCPUs, which never outlive the accelerator.
  const Device& device() const { return device_; }
  AddressSpace& memory() { return memory_; }
  PortSpace& ports() { return ports_; }
  Clock& clock() { return clock_; }
  const CpuModel& model() const { return model_; }
  Gate& gate() { return gate_; }
  const Slots& slots() const { return *slots_; }

 private:
  KvmAccelerator(const AcceleratorConfig& config, Device device, UniqueFd vm, CpuModel model);
  Result<> set_up_vm(bool kernel_chips);
  Result<> route_msrs();

  Device device_;
  UniqueFd vm_;
  CpuModel model_;
  AddressSpace& memory_;
  PortSpace& ports_;
  Clock& clock_;
  Gate gate_;
  std::unique_ptr<Slots> slots_;
  std::unique_ptr<KernelChips> chips_;  // null: the machine's own
};

}  // namespace kite::kvm
