// The families of instructions, one file each. The order does not matter.
#pragma once

#include <span>

namespace kite::tcg {

struct Row;

#define KITE_FAMILIES(X) \
  X(arith)               \
  X(logic)

#define KITE_DECLARE(family) std::span<const Row> family##_rows();
KITE_FAMILIES(KITE_DECLARE)
#undef KITE_DECLARE

}  // namespace kite::tcg
