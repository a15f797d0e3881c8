// What Lockstep compares, and the text of what it finds.
#pragma once

#include <string>

#include "accel/tcg/code_cache.h"

namespace kite::tcg {

// The registers that instructions can change which are run twice.
struct LockstepRegisters {
  std::array<u64, 18> gpr;
  Flags flags;
  u64 system_flags, rip, cr2, repeat_rip, kernel_gs_base;
  std::array<Segment, 6> segments;
  std::array<u64, 8> segment_base;
  FpuState fpu;
  Fault fault;

  // `with_fpu`: `fpu` too, which is most of the work.
  void take(const Cpu& cpu, bool with_fpu);
  void restore(Cpu& cpu, bool with_fpu) const;
};

// Bits of RFLAGS, by the rows of a block's instructions up to `last`.
struct UndefinedFlags {
  u32 at_end;  // left undefined
  bool used;   // one was read while it was
};
UndefinedFlags undefined_flags(const Block& block, const Insn& last);

// The block's instructions with their bytes, a line each. `rip`: of the first.
std::string listing(const Block& block, u64 rip);
// Every general register before, and a line for each register that differs.
std::string differences(const LockstepRegisters& before, const LockstepRegisters& handlers,
                        const LockstepRegisters& translated);

}  // namespace kite::tcg
