// PUSH, POP and LEAVE, as wide as the code segment makes them. Others are left to their handlers.
#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

// Checks for a store at the new top of the stack, which kAddress becomes. RSP moves when it has
// been made.
void BlockWriter::reach_top(u32 site) {
  lea_sized(kAddress, {kHostOf[kRsp], Host::kRsp, 0, -static_cast<i32>(stack_bytes())});
  check(kAddress, stack_bytes(), true, site);
}

void BlockWriter::push_value(Host value, u32 site) {
  reach_top(site);
  may_fault(site);
  mov_sized({kAddress, kScratch}, value);
  code_.mov(kHostOf[kRsp], kAddress);
}

// `from`: in the frame.
void BlockWriter::push_value_at(const HostOperand& from, u32 site) {
  reach_top(site);
  code_.mov(kValue, from);
  may_fault(site);
  mov_sized({kAddress, kScratch}, kValue);
  code_.mov(kHostOf[kRsp], kAddress);
}

void BlockWriter::push_immediate(const Insn& insn, u32 site) {
  reach_top(site);
  may_fault(site);
  const HostOperand top{kAddress, kScratch};
  code64_ ? code_.mov_sign_extended(top, insn.imm) : code_.mov32(top, static_cast<u32>(insn.imm));
  code_.mov(kHostOf[kRsp], kAddress);
}

bool BlockWriter::push(const Insn& insn, const Row& row) {
  if (!has_usual_width(insn)) return false;
  if (insn.is_memory && !can_address(insn)) return false;
  const u32 here = site(insn, Site::Kind::kInstruction);
  const unsigned guest = (row.encoding.has_modrm ? insn.rm : insn.reg) / 8u;
  if (!row.encoding.has_modrm && !row.encoding.register_in_opcode) {
    push_immediate(insn, here);
  } else if (insn.is_memory) {
    const Host linear = address(insn);
    check(linear, stack_bytes(), false, here);
    may_fault(here);
    mov_sized(kValue, {linear, kScratch});
    code_.mov(KITE_FRAME(pushed), kValue);
    island_if_needed();
    push_value_at(KITE_FRAME(pushed), here);
  } else if (is_spilled(guest)) {
    push_value_at(spill_place(guest), here);
  } else {
    push_value(kHostOf[guest], here);
  }
  sites_[here].resume = place();
  return true;
}

bool BlockWriter::pop(const Insn& insn) {
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

// PUSH r or POP r, but of RSP.
unsigned BlockWriter::group_length(const Insn& first, Treatment treatment) const {
  constexpr unsigned kMost = 8;
  unsigned count = 0;
  for (const Insn* insn = &first; insn < block_.insns + block_.count && count < kMost;
       ++insn, ++count) {
    const Row* row = Decoder::row_of(*insn);
    if (!row || treatments_.of(*insn) != treatment || !row->encoding.register_in_opcode ||
        insn->lock || insn->reg / 8u == kRsp || !has_usual_width(*insn))
      break;
  }
  return count;
}

unsigned BlockWriter::stack_group(const Insn& first) {
  const Treatment treatment = treatments_.of(first);
  if (treatment != Treatment::kPush && treatment != Treatment::kPop) return 0;
  const unsigned count = group_length(first, treatment);
  if (count == 0) return 0;
  if (treatment == Treatment::kPush) {
    if (count > 1) push_group(first, count);
    return count > 1 ? count : 0;
  }
  const Insn& next = (&first)[count];
  const bool returns = &next < block_.insns + block_.count && next.opcode == 0xc3 &&
                       treatments_.of(next) == Treatment::kReturn && has_usual_width(next);
  if (count + (returns ? 1 : 0) < 2) return 0;
  pop_group(first, count, returns);
  return count + (returns ? 1 : 0);
}

void BlockWriter::push_group(const Insn& first, unsigned count) {
  const Host rsp = kHostOf[kRsp];
  const unsigned size = stack_bytes();
  const u32 here = site(first, Site::Kind::kInstruction, static_cast<i32>(count - 1));
  lea_sized(kAddress, {rsp, Host::kRsp, 0, -static_cast<i32>(count * size)});
  check(kAddress, count * size, true, here);
  may_fault(here);
  for (unsigned i = 0; i < count; ++i) {
    const unsigned guest = (&first)[i].reg / 8u;
    const Host from = is_spilled(guest) ? kValue : kHostOf[guest];
    if (is_spilled(guest)) code_.mov(kValue, spill_place(guest));
    mov_sized({kAddress, kScratch, 0, static_cast<i32>((count - 1 - i) * size)}, from);
  }
  code_.mov(rsp, kAddress);
  sites_[here].resume = place();
}

void BlockWriter::pop_group(const Insn& first, unsigned count, bool returns) {
  const Host rsp = kHostOf[kRsp];
  const unsigned size = stack_bytes(), all = count + (returns ? 1 : 0);
  const u32 here = site(first, Site::Kind::kInstruction, static_cast<i32>(all - 1));
  if (returns) poll(here);
  island_if_needed();
  check(rsp, all * size, false, here);
  may_fault(here);
  for (unsigned i = 0; i < count; ++i) {
    const unsigned guest = (&first)[i].reg / 8u;
    mov_sized(is_spilled(guest) ? kValue : kHostOf[guest],
              {rsp, kScratch, 0, static_cast<i32>(i * size)});
    if (is_spilled(guest)) code_.mov(spill_place(guest), kValue);
  }
  if (returns) mov_sized(kAddress, {rsp, kScratch, 0, static_cast<i32>(count * size)});
  lea_sized(rsp, {rsp, Host::kRsp, 0, static_cast<i32>(count * size)});
  sites_[here].resume = place();
  const Insn& behind = (&first)[count];
  if (returns) return_to(behind, site(behind, Site::Kind::kInstruction));
}

}  // namespace kite::tcg
