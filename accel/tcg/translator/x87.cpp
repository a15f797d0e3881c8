// x87 instructions, as they are. The guest's x87 registers are in the host's from the first of
// them, unless an exception is not masked (x87_image.h), until C++ runs.
//
// The host's pointers to the last instruction and its operand are of no use, so each instruction
// notes the guest's in the frame; of several in a row that cannot be left, the last does.
#include <algorithm>

#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

namespace {

// The number of the register, for FDS.
u8 segment_of(const Insn& insn) {
  return insn.segment == kFlat ? u8{kDs} : insn.segment == kFlatStack ? u8{kSs} : insn.segment;
}

bool is_fldcw(const Encoding& e) {
  return e.opcode == 0xd9 && e.modrm_reg == 5;
}

// Is it one that processors remember?
bool has_pointers(const Recipe& recipe) {
  return recipe.treatment == Treatment::kX87;
}

}  // namespace

// Behind it the guest's x87 registers are the host's, also where code goes on from the slow way.
void BlockWriter::need_x87(const Insn& insn) {
  if (x87_present_) return;
  held_ = kNothingHeld;
  const u32 here = site(insn, Site::Kind::kX87);
  code_.mov32(kScratch, KITE_FRAME(x87_absent));
  u8* present = code_.jrcxz();
  code_.mov32(kValue, here);
  code_.jmp(common_.slow);
  Emitter::bind8(present, code_.at());
  sites_[here].resume = place();
  sites_[here].x87 = x87_present_ = true;
}

bool BlockWriter::x87_instruction(const Insn& insn, const Recipe& recipe) {
  if (insn.is_memory && !can_address(insn)) return false;
  need_x87(insn);
  if (recipe.waits) return true;  // nothing is ever pending here
  if (insn.is_memory)
    x87_memory(insn, recipe);
  else
    code_.bytes(guest_bytes_ + insn.length - 2, 2);  // prefixes mean nothing
  if (!has_pointers(recipe) || is_followed_by_x87(insn)) return true;
  held_ = kNothingHeld;
  code_.mov(kScratch, KITE_FRAME(page));
  code_.lea(kScratch, {kScratch, Host::kRsp, 0, offset_ + insn.next_offset - insn.length});
  code_.mov(KITE_FRAME(x87_instruction), kScratch);
  return true;
}

// By one that cannot be left either, and notes its own address.
bool BlockWriter::is_followed_by_x87(const Insn& insn) const {
  if (insn.ordinal + 1u >= block_.count) return false;
  const Insn& next = block_.insns[insn.ordinal + 1];
  return !next.is_memory && treatments_.of(next) == Treatment::kX87 &&
         Decoder::has_rows_handler(next);
}

void BlockWriter::x87_memory(const Insn& insn, const Recipe& recipe) {
  const u32 here = site(insn, Site::Kind::kInstruction);
  const HostOperand place = reach_operand(insn, recipe, here);
  const Encoding& e = recipe.encoding;
  if (is_fldcw(e)) {
    load_control_word(place, here);
  } else {
    may_fault(here);
    code_.op(false, e.opcode, static_cast<unsigned>(e.modrm_reg), place);
  }
  if (has_pointers(recipe)) {
    // By its page's place in the host (reach_by_rip); the page's own address is the frame's.
    const bool by_page = place.base == kScratch;
    if (by_page) code_.mov(kAddress, KITE_FRAME(page));
    code_.lea(kAddress, {by_page ? kAddress : place.base, Host::kRsp, 0, place.displacement});
    code_.mov(KITE_FRAME(x87_operand), kAddress);
    code_.mov32(KITE_FRAME(x87_operand_segment), segment_of(insn));
  }
  resume_at(here);
}

// FLDCW, unless an exception would not be masked.
void BlockWriter::load_control_word(const HostOperand& from, u32 site) {
  held_ = kNothingHeld;
  may_fault(site);
  code_.movzx16(kScratch, from);
  code_.mov32(KITE_FRAME(pushed), kScratch);
  code_.not32(kScratch);
  code_.lea32(kScratch, {kScratch, kScratch});
  code_.lea32(kScratch, {kScratch, kScratch});  // the six masks are bits 2 to 7
  code_.movzx8(kScratch, kScratch);
  u8* masked = code_.jrcxz();
  code_.mov32(kValue, site);
  code_.jmp(common_.slow);
  Emitter::bind8(masked, code_.at());
  code_.op(false, 0xd9, 5, KITE_FRAME(pushed));
}

}  // namespace kite::tcg
