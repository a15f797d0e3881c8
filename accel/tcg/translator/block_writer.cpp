#include "accel/tcg/translator/block_writer.h"

#include <algorithm>

namespace kite::tcg {

namespace {

// From a block's entry back to an island that serves its beginning.
constexpr i64 kNear = 24;

}  // namespace

u8* BlockWriter::write(u8* island) {
  island_ = island;
  find_uses();
  live_.fill(kNoShared);
  if (!island_ || code_.at() - island_ > kNear) to_slow();
  // Which page is the second is another question in each address space.
  const u32 crossing = place();
  if (block_.second_page) exit_by_table(offset_, site(block_.insns[0], Site::Kind::kExit, offset_));
  prologue();
  u8* const entry = code_.at();
  way_in_ = block_.second_page ? crossing : place();
  if (uses_vectors_) need_vectors();
  guest_bytes_ = block_.guest_bytes();
  for (unsigned i = 0; i < block_.count; ++i) {
    const Insn& insn = block_.insns[i];
    const auto first = static_cast<u32>(sites_.size());
    island_if_needed();
    instruction(insn);
    if (live_count_ > 0) update_shared(uses_[i], first);
    guest_bytes_ += insn.length;
  }
  if (!ended_) {
    island_if_needed();
    exit_to(offset_ + block_.bytes, block_.insns[block_.count - 1]);
  }
  if (waiting_ > 0) to_slow();
  return entry;
}

// Of fixed length, so that the entry behind it tells where it is.
void BlockWriter::prologue() {
  u8* const at = code_.at();
  code_.lea(kAddress, {kAddress, Host::kRsp, 0, -offset_ - 0x1000});
  // A displacement of four bytes, whatever its value: -offset - 1000h always needs them.
  const i32 displacement = -offset_;
  std::memcpy(code_.at() - 4, &displacement, 4);
  code_.mov(KITE_FRAME(page), kAddress);
  if (static_cast<std::size_t>(code_.at() - at) != kPrologueBytes) __builtin_trap();
}

u32 BlockWriter::site(const Insn& insn, Site::Kind kind, i32 target) {
  static_assert(Block::kMaxInsns <= 64);
  const u8 ordinal = insn.ordinal & 63;
  sites_.push_back({&block_, target, 0, 0, kind, kNothingHeld, vectors_present_, 0, ordinal,
                    live_count_ > 0, x87_present_});
  return static_cast<u32>(sites_.size() - 1);
}

void BlockWriter::instruction(const Insn& insn) {
  if (Decoder::has_rows_handler(insn) && treated(insn, treatments_.recipe(insn))) return;
  interpret(insn);
}

bool BlockWriter::treated(const Insn& insn, const Recipe& recipe) {
  switch (recipe.treatment) {
    case Treatment::kInterpret:
      return false;
    case Treatment::kNothing:
      return true;
    case Treatment::kNative:
      return native(insn, recipe);
    case Treatment::kX87:
    case Treatment::kX87Control:
      return x87_instruction(insn, recipe);
    case Treatment::kLea:
      return lea(insn);
    case Treatment::kPush:
      return push(insn, recipe);
    case Treatment::kPop:
      return pop(insn);
    case Treatment::kLeave:
      return leave(insn);
    case Treatment::kPushFlags:
    case Treatment::kClearInterrupts:
    case Treatment::kSetInterrupts:
    case Treatment::kAllowAccess:
    case Treatment::kForbidAccess:
    case Treatment::kSwapGs:
      return block_.mode.cpl == 0 && system(insn, recipe.treatment);
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
  update_shared(alone(0, false), 0);
  const u32 here = site(insn, Site::Kind::kDeclined);
  code_.mov32(kValue, here);
  to_slow();
  resume_at(here);
  if (treatments_.recipe(insn).ends_block) ended_ = true;
}

}  // namespace kite::tcg
