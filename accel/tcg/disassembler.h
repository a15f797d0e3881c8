// Text for instructions, by Capstone, which is loaded only when a trace asks for it: the dynamic
// linker would write to 3 MB of its tables in every run.
#pragma once

#include <span>
#include <string>

#include "base/types.h"

namespace kite::tcg {

// Opens the library. Before a sandbox closes; later calls do nothing.
void load_disassembler();

// The first instruction of `bytes`, which stand at `rip`: "add rax, rbx". "?" where there is none,
// or no library. `width` is the code's: 1, 2 or 3 for 16, 32 or 64 bits.
std::string disassemble(std::span<const u8> bytes, u64 rip, unsigned width);

}  // namespace kite::tcg
