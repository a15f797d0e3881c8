// Instructions that approximate: processors need not agree to the last bit.
#pragma once

#include "tests/isa/oracle/generate.h"

namespace kite::oracle {

bool is_approximate(const tcg::Row& row);

// Sets what is close enough in `ours` to what the silicon answered.
void forgive_approximation(const tcg::Row& row, const Outcome& silicon, Outcome& ours);

}  // namespace kite::oracle
