// The trace of executed instructions (`--trace cpu`), with Capstone's disassembly.
#pragma once

#include "accel/tcg/code_cache.h"

namespace kite::tcg {

// One line about the instruction that is about to run. Slow; only called while that trace is on.
void trace_instruction(const Cpu& cpu, const Block& block, const Insn& insn);

}  // namespace kite::tcg
