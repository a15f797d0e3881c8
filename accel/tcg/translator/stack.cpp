// PUSH, POP and LEAVE, as wide as the code segment makes them. Others are left to their handlers.
#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

// Checks for the store of `value` (or, if it is RSP's own register, of what that register holds) at
// the new top of the stack, and makes it. The guest's RSP moves when it has been made.
void BlockWriter::push_value(Host value, u32 site) {
  const Host rsp = kHostOf[kRsp];
  lea_sized(kAddress, {rsp, Host::kRsp, 0, -static_cast<i32>(stack_bytes())});
  check(kAddress, stack_bytes(), true, site);
  if (value == kValue) code_.mov(kValue, KITE_FRAME(pushed));
  may_fault(site);
  mov_sized({kAddress, kScratch}, value);
  code_.mov(rsp, kAddress);
}

void BlockWriter::push_immediate(const Insn& insn, u32 site) {
  const Host rsp = kHostOf[kRsp];
  lea_sized(kAddress, {rsp, Host::kRsp, 0, -static_cast<i32>(stack_bytes())});
  check(kAddress, stack_bytes(), true, site);
  may_fault(site);
  const HostOperand top{kAddress, kScratch};
  code64_ ? code_.mov_sign_extended(top, insn.imm) : code_.mov32(top, static_cast<u32>(insn.imm));
  code_.mov(rsp, kAddress);
}

bool BlockWriter::push(const Insn& insn, const Row& row) {
  if (!has_usual_width(insn)) return false;
  if (insn.is_memory && !can_address(insn)) return false;
  const u32 here = site(insn, Site::Kind::kInstruction);
  if (!row.encoding.has_modrm && !row.encoding.register_in_opcode) {
    push_immediate(insn, here);
  } else if (insn.is_memory) {
    const Host linear = address(insn);
    check(linear, stack_bytes(), false, here);
    may_fault(here);
    mov_sized(kValue, {linear, kScratch});
    code_.mov(KITE_FRAME(pushed), kValue);
    island_if_needed();
    push_value(kValue, here);
  } else {
    const unsigned guest = (row.encoding.has_modrm ? insn.rm : insn.reg) / 8u;
    if (is_spilled(guest)) {
      code_.mov(kValue, spill_place(guest));
      code_.mov(KITE_FRAME(pushed), kValue);
      push_value(kValue, here);
    } else {
      push_value(kHostOf[guest], here);
    }
  }
  sites_[here].resume = place();
  return true;
}

bool BlockWriter::pop(const Insn& insn, const Row&) {
  if (!has_usual_width(insn)) return false;
  const Host rsp = kHostOf[kRsp];
  const unsigned guest = insn.reg / 8u;
  const u32 here = site(insn, Site::Kind::kInstruction);
  check(rsp, stack_bytes(), false, here);
  may_fault(here);
  if (is_spilled(guest)) {
    mov_sized(kValue, {rsp, kScratch});
    code_.mov(spill_place(guest), kValue);
  } else {
    mov_sized(kHostOf[guest], {rsp, kScratch});
  }
  if (guest != kRsp) lea_sized(rsp, {rsp, Host::kRsp, 0, static_cast<i32>(stack_bytes())});
  sites_[here].resume = place();
  return true;
}

bool BlockWriter::leave(const Insn& insn) {
  if (!has_usual_width(insn)) return false;
  const Host rsp = kHostOf[kRsp], rbp = kHostOf[kRbp];
  const u32 here = site(insn, Site::Kind::kInstruction);
  check(rbp, stack_bytes(), false, here);
  may_fault(here);
  mov_sized(kAddress, {rbp, kScratch});
  lea_sized(rsp, {rbp, Host::kRsp, 0, static_cast<i32>(stack_bytes())});
  code_.mov(rbp, kAddress);
  sites_[here].resume = place();
  return true;
}

}  // namespace kite::tcg
