// InterpreterRunner: a case in the interpreter, through the engine's own door.
#pragma once

#include <memory>

#include "accel/accelerator.h"
#include "memory/host_memory.h"
#include "tests/isa/ring0/case.h"

namespace kite::ring0 {

// A little time passes whenever somebody looks, so that a guest which does not stop is stopped.
class LookingClock final : public Clock {
 public:
  Nanos now() const override { return time_ += 1000; }

 private:
  mutable Nanos time_ = 0;
};

// No interrupt ever comes; CR8 is kept.
class QuietInterrupts final : public InterruptPort {
 public:
  bool pending() override { return false; }
  std::optional<u8> acknowledge() override { return std::nullopt; }
  u8 cr8() override { return cr8_; }
  void set_cr8(u8 value) override { cr8_ = value; }
  bool read_msr(u32, u64&) override { return false; }
  bool write_msr(u32, u64) override { return false; }

 private:
  u8 cr8_ = 0;
};

class InterpreterRunner {
 public:
  explicit InterpreterRunner(const CpuModel& model);
  void run(const Case& test, Outcome& outcome);

 private:
  CpuModel model_;
  HostMemory ram_;
  AddressSpace memory_;
  PortSpace ports_;
  LookingClock clock_;
  QuietInterrupts interrupts_;
  std::unique_ptr<Accelerator> accelerator_;
  std::unique_ptr<Vcpu> vcpu_;
};

}  // namespace kite::ring0
