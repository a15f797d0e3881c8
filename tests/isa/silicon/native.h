// NativeRunner: cases on the host's own processor, in a child process.
//
// A stub loads flags, general registers and, where a case wants it, the extended state with XRSTOR,
// and jumps to the case's slot. Behind the instruction there a JMP leads back to the stub, which
// saves everything: no signal in the good case. What faults, or branches elsewhere, comes back by a
// signal. Parent and child share cases and outcomes, so that a batch costs one message each way. A
// system call other than those of the protocol becomes a signal.
#pragma once

#include <utility>
#include <vector>

#include "base/result.h"
#include "tests/isa/oracle/case.h"
#include "tests/isa/support/child.h"

namespace kite::oracle {

struct NativeShared;

class NativeRunner {
 public:
  NativeRunner() = default;
  ~NativeRunner();
  NativeRunner(const NativeRunner&) = delete;

  // Maps the pages and starts the child; fails with the reason on hosts where this cannot work.
  Result<> start();

  // Where the next batch is put: at most kSlots cases, cases[i] in slot i.
  Pool& pool();
  Case* cases();
  // Runs them; outcomes() until the next batch. A case the child dies of has Outcome::kDied, and a
  // new child does the rest.
  Result<> run(u32 count);
  const Outcome* outcomes() const;

  // Is there memory of the child's own at this address, which the cases do not know of?
  bool has_own_memory_at(u64 linear) const;

 private:
  Result<> start_child();
  void note_own_memory();

  NativeShared* shared_ = nullptr;
  isa::Child child_;
  std::vector<std::pair<u64, u64>> own_memory_;  // from, end
};

}  // namespace kite::oracle
