// The families of instructions, one file each. The order does not matter.
#pragma once

#include <span>

namespace kite::tcg {

struct Row;

#define KITE_FAMILIES(X) \
  X(arith)               \
  X(logic)               \
  X(mmx)                 \
  X(sse_move)            \
  X(sse_integer)         \
  X(sse_float)           \
  X(sse_convert)         \
  X(sse4)                \
  X(sse_string)          \
  X(crypto)              \
  X(avx_crypto)          \
  X(avx_move)            \
  X(avx_integer)         \
  X(avx_memory)          \
  X(avx_float)           \
  X(avx_convert)         \
  X(fma)                 \
  X(x87_arithmetic)      \
  X(x87_transfer)        \
  X(x87_control)         \
  X(fpu_state)           \
  X(xsave)               \
  X(move)                \
  X(shift)               \
  X(multiply)            \
  X(bit)                 \
  X(bmi)                 \
  X(branch)              \
  X(stack)               \
  X(string)              \
  X(io)                  \
  X(far)                 \
  X(far_return)          \
  X(interrupt)           \
  X(fast_call)           \
  X(segment)             \
  X(system)

#define KITE_DECLARE(family) std::span<const Row> family##_rows();
KITE_FAMILIES(KITE_DECLARE)
#undef KITE_DECLARE

}  // namespace kite::tcg
