// Cases: which bytes run, and with what in registers and memory.
#pragma once

#include <optional>

#include "accel/tcg/decode.h"
#include "tests/isa/oracle/case.h"
#include "tests/isa/oracle/encode.h"

namespace kite::oracle {

// Is there an instruction of some case's at this address? A branch there would run it.
bool is_inside_a_case(u64 linear);

// What a case was made from.
struct Origin {
  const tcg::Row* row = nullptr;
  tcg::Insn insn;
};

// Images and memory whose contents follow from `seed`.
void fill_pool(Pool& pool, u64 seed);

// A selector that means something in one of the host's tables, or does not.
u16 any_selector(u64 r);

// The general registers that follow from `seed`, before some are aimed at memory.
void fill_registers(std::array<u64, 16>& gpr, u64 seed);

// Mostly inside the data pages; sometimes at an edge, read-only, missing or not canonical.
u64 any_target(Random& random);

// The mode the cases run in: ring 3, of 64-bit mode unless told otherwise.
tcg::Mode user_mode(bool code64 = true);

// Which cases are wanted.
struct Wanted {
  tcg::Mode mode = user_mode();
  bool (*takes)(const tcg::Row&) = nullptr;  // null: those that are not excluded()
};

// A case in slot `slot` that began as an encoding of `row`; nothing if the decoder finds no
// comparable instruction in it. Registers that address memory mostly point into the data pages,
// near their edges included.
std::optional<Case> make_case(const tcg::Decoder& decoder, const tcg::Row& row, u64 slot,
                              Random& random, Origin& origin, const Wanted& wanted = {});

}  // namespace kite::oracle
