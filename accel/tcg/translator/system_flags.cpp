// PUSHF and CLI at CPL 0, where nothing forbids them: Linux saves and clears IF wherever it counts.
#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

bool BlockWriter::push_flags(const Insn& insn) {
  if (block_.mode.cpl != 0 || !has_usual_width(insn)) return false;
  const u32 here = site(insn, Site::Kind::kInstruction);
  const i32 size = static_cast<i32>(stack_bytes());
  code_.pushf();
  code_.pop(kValue);
  code_.pext(kValue, kValue, KITE_FRAME(arithmetic_flags));
  code_.pdep(kValue, kValue, KITE_FRAME(arithmetic_flags));
  code_.mov(kAddress, KITE_FRAME(system_flags));
  code_.pext(kAddress, kAddress, KITE_FRAME(pushed_flags));
  code_.pdep(kAddress, kAddress, KITE_FRAME(pushed_flags));
  code_.lea(kValue, {kValue, kAddress});
  code_.mov(KITE_FRAME(pushed), kValue);
  island_if_needed();
  const HostOperand top = reach_stack(insn, -size, here);
  code_.mov(kValue, KITE_FRAME(pushed));
  may_fault(here);
  mov_sized(top, kValue);
  move_stack(-size);
  resume_at(here);
  return true;
}

bool BlockWriter::clear_interrupts() {
  if (block_.mode.cpl != 0) return false;
  held_ = kNothingHeld;
  code_.mov(kScratch, KITE_FRAME(without_interrupts));
  code_.mov(KITE_FRAME(system_flags), kScratch);
  return true;
}

}  // namespace kite::tcg
