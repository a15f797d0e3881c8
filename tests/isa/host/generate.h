// Cases from rows: which instructions the two sides may both run, and with what in their registers.
#pragma once

#include <optional>
#include <random>
#include <string_view>

#include "accel/tcg/decode.h"
#include "tests/isa/host/case.h"
#include "tests/isa/support/encodings.h"

namespace kite::isa {

using Random = std::mt19937_64;

// Why user code on the host and in the guest cannot be compared on this row; empty if they can.
std::string_view incomparable(const tcg::Row& row);

// What a case was made from.
struct Origin {
  const tcg::Row* row = nullptr;
  tcg::Insn insn;
};

// A case in slot `slot` that begins with `bytes`; nothing if the decoder finds no comparable
// instruction there. Registers that address memory mostly point into the data pages; others hold
// boundary values.
std::optional<Case> make_case(const tcg::Decoder& decoder, const Bytes& bytes, u64 slot,
                              Random& random, Origin& origin);

// The arithmetic flags that the manual defines after this case.
u64 defined_flags(const Origin& origin, const Case& test);

}  // namespace kite::isa
