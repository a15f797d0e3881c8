// What instructions a random block may have, and what they leave open.
#pragma once

#include "tests/isa/oracle/generate.h"

namespace kite::oracle {

// Goes on with the next one?
bool is_straight(const tcg::Row& row);
// Compared, and allowed in the middle of a block?
bool fits_a_block(const tcg::Row& row, bool code64);
// Whose results makers of processors decide, beyond flags.
bool is_makers_choice(const tcg::Row& row, const tcg::Insn& insn);

// The arithmetic flags that the row reads.
u64 read_flags(const tcg::Row& row);
// Those that are undefined behind the instruction, of which `before` was ahead of it. `defined`: as
// far as the instruction says (defined_flags()).
u64 undefined_behind(u64 before, const Origin& origin, u64 defined);

}  // namespace kite::oracle
