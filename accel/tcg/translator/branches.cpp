// How a block ends. A branch inside the page is a jump that is linked once its target is
// translated; so is one to another page, behind a guard. Others, and those whose guard says no,
// look their target up by linear address (JumpTable).
#include "accel/tcg/translator/block_writer.h"
#include "accel/tcg/translator/jump_table.h"

namespace kite::tcg {

// A way out without kValue: the number of the site is behind the CALL.
void BlockWriter::way_out(u32 site) {
  code_.call(common_.exit);
  code_.put(site);
}

void count_down(Emitter& code, const HostOperand& polls) {
  code.mov(kScratch, polls);
  code.lea(kScratch, {kScratch, Host::kRsp, 0, -1});
  code.mov(polls, kScratch);
}

void look_up_jump(Emitter& code, const HostOperand& jumps) {
  code.lea(kAddress, {kAddress, kScratch});
  code.movzx16(kScratch, kAddress);
  static_assert(sizeof(JumpTable::Entry) == 2 * 8);
  code.lea32(kScratch, {kScratch, kScratch});
  code.mov(kValue, jumps);
  code.lea(kValue, {kValue, kScratch, 3});
  code.mov(kScratch, {kValue, Host::kRsp, 0, static_cast<i32>(offsetof(JumpTable::Entry, tag))});
  code.lea(kScratch, {kScratch, kAddress});
}

// The displacement of a jump to the block that `site` exits to. unlinked_here() follows.
void BlockWriter::linkable(u32 site) {
  sites_[site].kind = Site::Kind::kLinkable;
  sites_[site].resume = place();
  code_.put(i32{0});
}

// Where that jump goes until it is linked: out.
void BlockWriter::unlinked_here(u32 site) {
  u8* const displacement = start_ + sites_[site].resume;
  const auto distance = code_.at() - (displacement + 4);
  if (distance >= Site::kWayOut) __builtin_trap();
  sites_[site].unlinked = static_cast<u8>(distance);
  Emitter::bind32(displacement, code_.at());
  way_out(site);
}

// Goes on at `target`, from the start of the page.
void BlockWriter::exit_to(i32 target, const Insn& insn) {
  const u32 here = site(insn, Site::Kind::kExit, target);
  if (!is_inside_page(target)) {
    jump_if_guarded(target, here);
    one_context_ ? way_out(here) : exit_by_table(target, here);
  } else if (target <= offset_) {
    way_back(here);
    unlinked_here(here);
  } else {
    sites_[here].kind = Site::Kind::kLinkable;
    sites_[here].resume = place() + 1;
    sites_[here].unlinked = Site::kWayOut;
    way_out(here);
  }
}

// Where a poll that finds 0 goes: counts, and back to `again` until it is time to look around.
void BlockWriter::count_behind(u8* poll, const u8* again) {
  Emitter::bind8(poll, code_.at());
  count_down(code_, KITE_FRAME(polls));
  u8* const ends = code_.jrcxz();
  code_.jmp(again);
  Emitter::bind8(ends, code_.at());
}

// Into unlinked_here() when it is time to look around.
void BlockWriter::way_back(u32 site) {
  load_calm();
  u8* const counts = code_.jrcxz();
  u8* const jump = code_.at();
  code_.byte(Emitter::kJmp);
  linkable(site);
  count_behind(counts, jump);
}

// Goes on at a block on another page if this page's linear address and the context are those with
// which the jump was linked (Translator::link_guarded). A way back polls.
void BlockWriter::jump_if_guarded(i32 target, u32 site) {
  const bool polls = target <= offset_;
  island_if_needed();
  held_ = kNothingHeld;
  u8* counts = nullptr;
  if (polls) {
    load_calm();
    counts = code_.jrcxz();
  }
  const u8* const again = code_.at();
  code_.mov(kAddress, KITE_FRAME(page));
  code_.mov(kScratch, KITE_FRAME(context));
  code_.lea(kScratch, {kScratch, kAddress});
  code_.mov64(kValue, kClosedGuard);
  const u8* const behind_guard = code_.at();
  code_.lea(kScratch, {kScratch, kValue});
  u8* const open = code_.jrcxz();
  code_.byte(0xeb);
  u8* const closed = code_.at();
  code_.byte(0);
  Emitter::bind8(open, code_.at());
  const i32 page = target & ~static_cast<i32>(kPageSize - 1);
  lea_sized(kAddress, {kAddress, Host::kRsp, 0, page});
  code_.mov(KITE_FRAME(page), kAddress);
  code_.byte(Emitter::kJmp);
  if (code_.at() - behind_guard != kGuardToJump) __builtin_trap();
  linkable(site);
  if (polls) {
    count_behind(counts, again);
    way_out(site);
  }
  Emitter::bind8(closed, code_.at());
}

void BlockWriter::exit_by_table(i32 target, u32 site) {
  code_.mov(kAddress, KITE_FRAME(page));
  lea_sized(kAddress, {kAddress, Host::kRsp, 0, target});
  code_.mov(KITE_FRAME(target), kAddress);
  find_indirect(site);
  jump_to_found();
}

// Of Frame::target, which kAddress also holds: kValue becomes its entry of the JumpTable. Leaves at
// `site` if it has none. Polls: there is no entry with 0 for the context.
void BlockWriter::find_indirect(u32 site) {
  load_calm();
  look_up_jump(code_, KITE_FRAME(jumps));
  u8* found = code_.jrcxz();
  code_.call(common_.retry);
  u8* found_now = code_.jrcxz();
  code_.mov32(kValue, site);
  to_slow();
  Emitter::bind8(found, code_.at());
  Emitter::bind8(found_now, code_.at());
}

void BlockWriter::jump_to_found() {
  code_.mov(kAddress, KITE_FRAME(target));
  code_.jmp({kValue, Host::kRsp, 0, static_cast<i32>(offsetof(JumpTable::Entry, code))});
}

bool BlockWriter::jump(const Insn& insn) {
  if (!has_usual_width(insn)) return false;
  ended_ = true;
  exit_to(offset_ + insn.next_offset + insn.imm, insn);
  return true;
}

bool BlockWriter::branch(const Insn& insn) {
  if (!has_usual_width(insn)) return false;
  ended_ = true;
  const unsigned condition = insn.opcode & 15u;
  const i32 next = offset_ + insn.next_offset, target = next + insn.imm;
  code_.byte(0x0f);
  if (target > offset_ && is_inside_page(target)) {
    code_.byte(0x80u | condition);
    const u32 taken = site(insn, Site::Kind::kExit, target);
    linkable(taken);
    exit_to(next, insn);
    unlinked_here(taken);
    return true;
  }
  code_.byte(0x80u | (condition ^ 1));  // the other condition skips the branch
  u8* not_taken = code_.at();
  code_.put(i32{0});
  exit_to(target, insn);
  Emitter::bind32(not_taken, code_.at());
  exit_to(next, insn);
  return true;
}

void BlockWriter::push_return_address(const Insn& insn, u32 site) {
  const i32 size = static_cast<i32>(stack_bytes());
  const HostOperand top = reach_stack(insn, -size, site);
  code_.mov(kValue, KITE_FRAME(page));
  lea_sized(kValue, {kValue, Host::kRsp, 0, offset_ + insn.next_offset});
  may_fault(site);
  mov_sized(top, kValue);
  move_stack(-size);
}

bool BlockWriter::call(const Insn& insn) {
  if (!has_usual_width(insn)) return false;
  ended_ = true;
  const u32 here = site(insn, Site::Kind::kInstruction);
  push_return_address(insn, here);
  exit_to(offset_ + insn.next_offset + insn.imm, insn);
  return true;
}

// The target into kAddress and Frame::target.
void BlockWriter::branch_target(const Insn& insn, u32 site) {
  if (insn.is_memory) {
    const HostOperand place = reach_pointer(insn, site);
    may_fault(site);
    mov_sized(kAddress, place);
  } else {
    load_guest(kAddress, insn.rm / 8u);
  }
  code_.mov(KITE_FRAME(target), kAddress);
}

// Of JMP and CALL through a register or memory: up to find_indirect(). Until then nothing has
// happened that cannot happen again. Nothing: it is left to the handler.
std::optional<u32> BlockWriter::find_target(const Insn& insn) {
  if (!has_usual_width(insn) || (insn.is_memory && !can_address(insn))) return std::nullopt;
  ended_ = true;
  const u32 here = site(insn, Site::Kind::kInstruction);
  branch_target(insn, here);
  find_indirect(here);
  return here;
}

bool BlockWriter::jump_indirect(const Insn& insn) {
  if (!find_target(insn)) return false;
  jump_to_found();
  return true;
}

// The store comes last: it may replace the word that the target was read from.
bool BlockWriter::call_indirect(const Insn& insn) {
  const std::optional<u32> here = find_target(insn);
  if (!here) return false;
  code_.mov(KITE_FRAME(pushed), kValue);
  push_return_address(insn, *here);
  code_.mov(kValue, KITE_FRAME(pushed));
  jump_to_found();
  return true;
}

bool BlockWriter::return_(const Insn& insn) {
  if (!has_usual_width(insn)) return false;
  ended_ = true;
  const u32 here = site(insn, Site::Kind::kInstruction);
  const HostOperand top = reach_stack(insn, 0, here);
  may_fault(here);
  mov_sized(kAddress, top);
  code_.mov(KITE_FRAME(target), kAddress);
  find_indirect(here);
  const i32 dropped = insn.opcode == 0xc2 ? static_cast<u16>(insn.imm) : 0;
  move_stack(static_cast<i32>(stack_bytes()) + dropped);
  jump_to_found();
  return true;
}

}  // namespace kite::tcg
