// Encodings: the byte strings that a row stands for, enumerated.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "accel/tcg/cpu.h"
#include "accel/tcg/isa/row.h"
#include "base/types.h"

namespace kite::isa {

// How many of each choice to take: the fewer, the faster.
enum class Depth {
  kShort,  // one register, one memory form of each kind
  kFull,   // every prefix with every form
};

using Bytes = std::vector<u8>;

// Calls `use` with opcode bytes that `row` may claim in a mode of `code_width` (1 = 16, 2 = 32, 3 =
// 64 bits): prefixes, opcode, ModRM, SIB, displacement. What follows (immediates) is up to the
// caller: the decoder knows how many bytes it takes.
void for_each_encoding(const tcg::Row& row, unsigned code_width, Depth depth,
                       const std::function<void(const Bytes&)>& use);

// Sixteen bytes to stand behind an opcode; `n` chooses among boundary values.
Bytes immediate_pattern(unsigned n);
inline constexpr unsigned kImmediatePatterns = 8;

// The mode of user code of that width, with floating point allowed.
tcg::Mode mode_of(unsigned code_width, unsigned cpl = 0);

// "01 C8".
std::string hex(std::span<const u8> bytes);

}  // namespace kite::isa
