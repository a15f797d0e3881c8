// NativeRunner: instructions on the host's own processor, in a child process.
//
// The child loads a case's registers by returning from a signal handler and gets control back by
// the signal that the instruction, a single step or the INT3 behind it raises. Parent and child
// share the cases and the outcomes, so that a batch costs one message each way. A system call other
// than those of this protocol is turned into a signal, should an instruction turn out to be one.
#pragma once

#include <span>

#include "base/result.h"
#include "tests/isa/host/case.h"
#include "tests/isa/support/child.h"

namespace kite::isa {

class NativeRunner {
 public:
  NativeRunner() = default;
  ~NativeRunner();
  NativeRunner(const NativeRunner&) = delete;

  // Maps the pages and starts the child.
  Result<> start();

  // Runs cases[i] in slot i; at most kSlots of them. If the child dies of one, its outcome has
  // vector kDied, and a new child does the rest.
  Result<> run(std::span<const Case> cases, std::span<Outcome> outcomes);
  static constexpr u8 kDied = 255;

 private:
  struct Shared;
  Result<> start_child();

  Shared* shared_ = nullptr;
  Child child_;
};

}  // namespace kite::isa
