// What differs between two outcomes, in words.
#pragma once

#include <string>

#include "tests/isa/oracle/rules.h"

namespace kite::oracle {

// Empty if nothing differs. What is open is forgiven in `ours` first.
std::string difference(const Origin& origin, const Case& test, Maker maker, const Outcome& silicon,
                       Outcome& ours);
// The same where nothing is open but the arithmetic flags that are not in `flags`.
std::string difference(const Case& test, u64 flags, const Outcome& silicon, const Outcome& ours);

// The same of the x87 state alone, with nothing forgiven.
std::string x87_difference(const Image& silicon, const Image& ours);

// Bytes, registers and image, to repeat a case by hand.
std::string describe(const Case& test, const Pool& pool);

}  // namespace kite::oracle
