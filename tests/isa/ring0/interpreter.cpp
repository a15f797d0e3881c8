#include "tests/isa/ring0/interpreter.h"

#include <algorithm>
#include <stdexcept>

#include "accel/tcg/tcg.h"
#include "memory/backend.h"

namespace kite::ring0 {

InterpreterRunner::InterpreterRunner(const CpuModel& model)
    : model_(model), ram_(*allocate(*parse_backend("ram,size=96K"))) {
  AddressSpace::Edit(memory_).map({0, kRamSize, Region::ram("ram", ram_)});
  accelerator_ = *tcg_kind().create({memory_, ports_, clock_, model_});
  vcpu_ = *accelerator_->create_vcpu({.interrupts = &interrupts_});
}

void InterpreterRunner::run(const Case& test, Outcome& outcome) {
  constexpr Nanos kPatience = 20'000;  // looks at the clock, each after a thousand blocks
  std::copy(test.ram.begin(), test.ram.end(), ram_.data());
  interrupts_.set_cr8(0);
  const Result<> set = vcpu_->set_state(test.state);  // also forgets all code of before
  if (!set) throw std::invalid_argument(test.name + ": " + set.error().message);
  const auto exit = vcpu_->run(clock_.now() + kPatience);
  outcome.end = !exit                                 ? End::kUnjudged
                : exit->kind == Exit::Kind::kHalted   ? End::kHalted
                : exit->kind == Exit::Kind::kShutdown ? End::kShutdown
                                                      : End::kHung;
  outcome.state = vcpu_->state();
  outcome.ram.assign(ram_.data(), ram_.data() + kRamSize);
}

}  // namespace kite::ring0
