// Processors: what the interpreted processors of one machine share.
#pragma once

#include "accel/tcg/code_map.h"
#include "accel/tcg/exclusive.h"
#include "accel/tcg/flat_memory.h"

namespace kite::tcg {

struct Processors {
  explicit Processors(unsigned count) : code(count) {}
  CodeMap code;
  ExclusiveGate exclusive;
  FlatMemory flat;
};

}  // namespace kite::tcg
