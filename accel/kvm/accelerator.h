// KvmAccelerator: one KVM virtual machine, its memory slots and what its vCPUs share.
#pragma once

#include "accel/accelerator.h"
#include "accel/kvm/cpuid.h"
#include "accel/kvm/device.h"
#include "accel/kvm/doorbells.h"
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
  const CpuModel* model() const override { return &model_; }
  bool shadows_page_tables() const override { return shadows_page_tables_; }
  void forget_derived() override;

  // For the vCPUs, which never outlive the accelerator.
  const Device& device() const { return device_; }
  AddressSpace& memory() { return memory_; }
  PortSpace& ports() { return ports_; }
  Clock& clock() { return clock_; }
  int vm_fd() const { return vm_.get(); }
  Gate& gate() { return gate_; }
  Slots& slots() { return *slots_; }
  // The frequency that the guest's TSC has turned out to have: known with the first vCPU.
  void tsc_is(u64 khz) { set_tsc_frequency(model_, khz); }

 private:
  KvmAccelerator(const AcceleratorConfig& config, Device device, UniqueFd vm, CpuModel model);
  Result<> set_up_vm(bool kernel_chips);
  bool enable(u32 capability, u64 argument);
  Result<> set_up_memory(const AcceleratorOptions& options);
  Result<> route_msrs();

  Device device_;
  UniqueFd vm_;
  CpuModel model_;
  AddressSpace& memory_;
  PortSpace& ports_;
  Clock& clock_;
  Gate gate_;
  bool shadows_page_tables_ = false;
  std::unique_ptr<Slots> slots_;
  std::unique_ptr<Doorbells> doorbells_;  // null: KVM has none
  std::unique_ptr<KernelChips> chips_;    // null: the machine's own
};

}  // namespace kite::kvm
