// A random encoding of a row: any prefix, register and form of memory that it allows.
#pragma once

#include "accel/tcg/isa/row.h"
#include "tests/isa/oracle/random.h"

namespace kite::oracle {

struct Encoded {
  std::array<u8, 48> bytes = {};  // more than the decoder takes: immediates follow
  u8 size = 0;
  u8 displacement_at = 0;  // where a displacement of four bytes stands; 0 if there is none
};

// `base`: a register; then memory that it is the base of, if the row allows any.
inline constexpr unsigned kAnyBase = 16;
Encoded encode(const tcg::Row& row, Random& random, unsigned base = kAnyBase);

}  // namespace kite::oracle
