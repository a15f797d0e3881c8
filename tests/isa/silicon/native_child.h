// The child's side of NativeRunner.
#pragma once

#include <atomic>

#include "tests/isa/oracle/case.h"

namespace kite::oracle {

// The page through which the stub is told what to load, mapped in the child.
inline constexpr u64 kControl = 0x16a00000;

struct NativeShared {
  std::atomic<u32> next{0};  // the case that runs
  u32 end = 0;
  Pool pool;
  std::array<Case, kSlots> cases;
  std::array<Outcome, kSlots> outcomes;
};

// Serves batches until the pipe closes. Never returns.
[[noreturn]] void serve_batches(NativeShared& shared, int commands, int answers);

}  // namespace kite::oracle
