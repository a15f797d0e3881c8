// GuestRunner: the same cases inside a guest: ring 3 of long mode on any accelerator.
#pragma once

#include <memory>
#include <span>

#include "accel/accelerator.h"
#include "memory/host_memory.h"
#include "tests/isa/host/case.h"

namespace kite::isa {

// The pages of case.h stand at the same linear addresses; every exception ends in a HLT of its own
// in ring 0, which stops the vCPU with the frame on the kernel's stack.
class GuestRunner {
 public:
  static Result<std::unique_ptr<GuestRunner>> create(const AcceleratorKind& kind,
                                                     const CpuModel& model);
  // Runs cases[i] in slot i; at most kSlots of them.
  Result<> run(std::span<const Case> cases, std::span<Outcome> outcomes);

 private:
  GuestRunner(const AcceleratorKind& kind, const CpuModel& model);
  void write_tables();
  void map_user(u64 linear, u64 physical, u64 size, u64 rights);
  X86State initial_state() const;
  Result<> run_one(const Case& test, Outcome& outcome);
  u64* words(u64 physical) { return reinterpret_cast<u64*>(ram_.data() + physical); }

  const AcceleratorKind& kind_;
  CpuModel model_;
  HostMemory ram_;
  AddressSpace memory_;
  PortSpace ports_;
  RealClock clock_;
  std::unique_ptr<Accelerator> accelerator_;
  std::unique_ptr<Vcpu> vcpu_;
  X86State base_;  // what every case starts from
};

}  // namespace kite::isa
