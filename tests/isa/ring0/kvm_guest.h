// KvmRunner: a case in a guest of KVM: one virtual machine and one processor for all of them.
#pragma once

#include <memory>
#include <optional>

#include "accel/kvm/device.h"
#include "accel/kvm/vcpu.h"
#include "memory/host_memory.h"
#include "tests/isa/ring0/case.h"

namespace kite::ring0 {

class KvmRunner {
 public:
  // Errors tell why this host cannot: no /dev/kvm, or it makes no processor.
  static Result<std::unique_ptr<KvmRunner>> create(const CpuModel& wanted);
  ~KvmRunner();

  // The model less what the host cannot give: what the interpreter is to have, too.
  const CpuModel& model() const { return model_; }

  void run(const Case& test, Outcome& outcome);

 private:
  KvmRunner(kvm::Device device, CpuModel model, HostMemory ram);
  Result<> set_up();
  bool load(const Case& test, Outcome& outcome);
  Result<> map_memory(bool present);
  bool forget_translations(const Case& test);
  // One KVM_RUN; true when the case is over.
  bool step(Outcome& outcome);
  void finish_access();

  kvm::Device device_;
  CpuModel model_;
  HostMemory ram_;
  UniqueFd vm_, vcpu_;
  std::optional<kvm::RunPage> page_;
  std::optional<kvm::StateTransfer> transfer_;
};

}  // namespace kite::ring0
