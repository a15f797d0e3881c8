// Which rows the translator is compared by.
#pragma once

#include "accel/tcg/isa/row.h"

namespace kite::oracle {

// Those that silicon is compared by; in 32-bit code also what exists only there.
bool is_compared(const tcg::Row& row, bool code64);

}  // namespace kite::oracle
