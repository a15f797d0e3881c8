#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

u8* BlockWriter::write() {
  to_slow();
  prologue();
  guest_bytes_ = block_.guest_bytes();
  for (unsigned i = 0; i < block_.count;) {
    const Insn& insn = block_.insns[i];
    island_if_needed();
    unsigned done = stack_group(insn);
    if (done == 0) {
      instruction(insn);
      done = 1;
    }
    for (; done > 0; --done) guest_bytes_ += block_.insns[i++].length;
  }
  if (!ended_) exit_to(offset_ + block_.bytes, block_.insns[block_.count - 1]);
  if (!to_be_bound_.empty()) to_slow();
  return entry_;
}

// Of fixed length, so that the entry behind it tells where it is.
void BlockWriter::prologue() {
  u8* const at = code_.at();
  code_.mov(kAddress, KITE_FRAME(target));
  code_.op(true, 0x8d, number(kAddress), HostOperand{kAddress, Host::kRsp, 0, -offset_ - 0x1000});
  // A displacement of four bytes, whatever its value: -offset - 1000h always needs them.
  i32 displacement = -offset_;
  std::memcpy(code_.at() - 4, &displacement, 4);
  code_.mov(KITE_FRAME(page), kAddress);
  entry_ = code_.at();
  if (static_cast<std::size_t>(entry_ - at) != kPrologueBytes) __builtin_trap();
}

u32 BlockWriter::site(const Insn& insn, Site::Kind kind, i32 target) {
  sites_.push_back({&block_, target, 0, 0, insn.ordinal, kind});
  return static_cast<u32>(sites_.size() - 1);
}

void BlockWriter::instruction(const Insn& insn) {
  const Row* row = Decoder::row_of(insn);
  const Treatment treatment = treatments_.of(insn);
  // Another handler than the row's raises what the mode forbids.
  const auto shape = insn.lock || (row && row->attributes.has(always_locked) && insn.is_memory)
                         ? Shape::kLocked
                     : insn.is_memory ? Shape::kMemory
                                      : Shape::kRegister;
  bool is_rows = row != nullptr;
  if (row) {
    const Shape wanted = row->encoding.has_modrm || insn.lock ? shape : Shape::kRegister;
    is_rows = false;
    for (unsigned width = 0; width < 4; ++width)
      is_rows |= row->handlers[width][static_cast<unsigned>(wanted)] == insn.handler ||
                 row->handlers[width][0] == insn.handler;
  }
  if (is_rows && treatment != Treatment::kInterpret && treated(insn, treatment)) return;
  interpret(insn);
}

bool BlockWriter::treated(const Insn& insn, Treatment treatment) {
  const Row& row = *Decoder::row_of(insn);
  switch (treatment) {
    case Treatment::kInterpret:
      return false;
    case Treatment::kNothing:
      return true;
    case Treatment::kNative:
    case Treatment::kLea:
      return native(insn, row);
    case Treatment::kPush:
      return push(insn, row);
    case Treatment::kPop:
      return pop(insn, row);
    case Treatment::kLeave:
      return leave(insn);
    case Treatment::kJump:
      return jump(insn);
    case Treatment::kBranch:
      return branch(insn);
    case Treatment::kCall:
      return call(insn);
    case Treatment::kJumpIndirect:
      return jump_indirect(insn);
    case Treatment::kCallIndirect:
      return call_indirect(insn);
    case Treatment::kReturn:
      return return_(insn);
  }
  return false;
}

void BlockWriter::interpret(const Insn& insn) {
  const u32 here = site(insn, Site::Kind::kDeclined);
  code_.mov32(kValue, here);
  to_slow();
  sites_[here].resume = place();
  const Row* row = Decoder::row_of(insn);
  if (!row || row->attributes.has(ends_block)) ended_ = true;
}

}  // namespace kite::tcg
