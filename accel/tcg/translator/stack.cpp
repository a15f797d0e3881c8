// PUSH, POP and LEAVE, as wide as the code segment makes them. Others are left to their handlers.
#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

// The word at `disp` from RSP, as the instruction reaches it besides a memory operand.
HostOperand BlockWriter::reach_stack(const Insn& insn, i32 disp, u32 site) {
  MemoryUse use = uses_[insn.ordinal];
  if (insn.is_memory) use = alone(stack_bytes(), disp < 0);
  return reach(use, insn.ordinal, stack_place(kRsp, disp), site);
}

void BlockWriter::move_stack(i32 by) {
  lea_sized(kHostOf[kRsp], {kHostOf[kRsp], Host::kRsp, 0, by});
}

bool BlockWriter::push(const Insn& insn, const Recipe& recipe) {
  if (!has_usual_width(insn)) return false;
  if (insn.is_memory && !can_address(insn)) return false;
  const u32 here = site(insn, Site::Kind::kInstruction);
  const i32 size = static_cast<i32>(stack_bytes());
  const Encoding& e = recipe.encoding;
  const unsigned guest = (e.has_modrm ? insn.rm : insn.reg) / 8u;
  const bool immediate = !e.has_modrm && !e.register_in_opcode;
  if (insn.is_memory) {
    const HostOperand from = reach_pointer(insn, here);
    may_fault(here);
    mov_sized(kValue, from);
    code_.mov(KITE_FRAME(pushed), kValue);
    island_if_needed();
  }
  const HostOperand top = reach_stack(insn, -size, here);
  Host value = kValue;
  if (insn.is_memory)
    code_.mov(kValue, KITE_FRAME(pushed));
  else if (!immediate && is_spilled(guest))
    code_.mov(kValue, spill_place(guest));
  else
    value = kHostOf[guest];
  may_fault(here);
  if (!immediate)
    mov_sized(top, value);
  else
    code64_ ? code_.mov_sign_extended(top, insn.imm) : code_.mov32(top, static_cast<u32>(insn.imm));
  move_stack(-size);
  resume_at(here);
  return true;
}

bool BlockWriter::pop(const Insn& insn) {
  if (!has_usual_width(insn)) return false;
  const unsigned guest = insn.reg / 8u;
  const u32 here = site(insn, Site::Kind::kInstruction);
  const HostOperand top = reach_stack(insn, 0, here);
  may_fault(here);
  if (is_spilled(guest)) {
    mov_sized(kValue, top);
    code_.mov(spill_place(guest), kValue);
  } else {
    mov_sized(kHostOf[guest], top);
  }
  if (guest != kRsp) move_stack(static_cast<i32>(stack_bytes()));
  resume_at(here);
  return true;
}

bool BlockWriter::leave(const Insn& insn) {
  if (!has_usual_width(insn)) return false;
  const Host rsp = kHostOf[kRsp], rbp = kHostOf[kRbp];
  const u32 here = site(insn, Site::Kind::kInstruction);
  const HostOperand from = reach(uses_[insn.ordinal], insn.ordinal, stack_place(kRbp, 0), here);
  may_fault(here);
  mov_sized(kAddress, from);
  lea_sized(rsp, {rbp, Host::kRsp, 0, static_cast<i32>(stack_bytes())});
  code_.mov(rbp, kAddress);
  resume_at(here);
  return true;
}

}  // namespace kite::tcg
