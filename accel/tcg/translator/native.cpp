// Instructions that are written again as they are, with other registers and another memory operand.
#include "accel/tcg/translator/block_writer.h"
#include "accel/tcg/translator/memory_use.h"

namespace kite::tcg {

namespace {

constexpr unsigned kHighRcx = 5;  // CH, without REX

// May the register be its place in the frame?
bool can_stay_in_frame(const GeneralOperand& operand, const Insn& insn) {
  if (insn.is_memory) return false;
  return operand.in_frame == GeneralOperand::InFrame::kAlways ||
         (operand.in_frame == GeneralOperand::InFrame::kIfWide && insn.width == 3);
}

}  // namespace

// The host's number for a general register operand. False: it cannot be written.
bool BlockWriter::rename(const GeneralOperand& operand, unsigned guest, bool has_rex, Plan& plan,
                         unsigned& number_) const {
  const bool high = operand.is_byte && !has_rex && guest >= 4 && guest < 8;
  if (high && guest != kHighRcx) {  // AH, DH, BH
    plan.forbids_rex = true;
    number_ = guest;
    return true;
  }
  if (high) guest = kRcx;
  if (!high && !is_spilled(guest)) {
    plan.writes_rcx |= guest == kRcx && operand.is_written;
    number_ = number(kHostOf[guest]);
    plan.needs_rex |= operand.is_byte && number_ >= 4 && number_ < 8;
    return true;
  }
  for (unsigned i = 0; i < plan.spilled_count; ++i) {
    if (plan.spilled[i].guest != guest) continue;
    plan.spilled[i].written |= operand.is_written;
    number_ = number(plan.spilled[i].in);
    return true;
  }
  constexpr Host kPlaces[] = {kValue, kAddress, kScratch};
  const unsigned free = plan.is_memory || plan.reads_rcx ? 2 : 3;
  if (plan.spilled_count == free) return false;
  const Host in = kPlaces[plan.spilled_count];
  if (plan.reads_rcx && plan.is_memory && in == kAddress) return false;
  plan.spilled[plan.spilled_count++] = {guest, in, operand.is_written, high};
  number_ = number(in);
  return true;
}

bool BlockWriter::choose_registers(const Insn& insn, const Recipe& recipe, const GuestCode& guest,
                                   Plan& plan) const {
  plan.is_memory = insn.is_memory;
  plan.reads_rcx = recipe.reads_rcx;
  const i8 digit = recipe.encoding.modrm_reg;
  plan.reg = digit >= 0 ? static_cast<unsigned>(digit) : guest.reg;
  plan.rm = guest.rm;
  plan.vvvv = insn.vreg / 8u;
  const bool has_rex = guest.has_rex || guest.vex;
  for (unsigned i = 0; i < recipe.general_count; ++i) {
    const GeneralOperand& operand = recipe.general[i];
    if (operand.may_be_memory && insn.is_memory) continue;
    if (is_spilled(guest.rm) && can_stay_in_frame(operand, insn)) {
      plan.is_memory = true;
      plan.memory = spill_place(guest.rm);
      continue;
    }
    bool done = true;
    if (operand.field == GeneralOperand::Field::kReg)
      done = rename(operand, guest.reg, has_rex, plan, plan.reg);
    else if (operand.field == GeneralOperand::Field::kVvvv)
      done = rename(operand, insn.vreg / 8u, has_rex, plan, plan.vvvv);
    else
      done = rename(operand, guest.rm, has_rex, plan, plan.rm);
    if (!done) return false;
  }
  for (unsigned i = 0; i < plan.spilled_count; ++i)
    if (plan.spilled[i].high && plan.spilled[i].written && plan.writes_rcx) return false;
  const bool extends =
      plan.needs_rex || guest.wide || plan.reg > 7 || (!plan.is_memory && plan.rm > 7);
  return !(plan.forbids_rex && extends);
}

// Finds the operand; afterwards only what `plan` says is in use.
void BlockWriter::reach_memory(const Insn& insn, const Recipe& recipe, Plan& plan, u32 site) {
  plan.memory = reach_operand(insn, recipe, site);
  if (plan.reads_rcx) {
    code_.lea(kAddress, plan.memory);
    plan.memory = {kAddress};
  } else if (plan.forbids_rex || plan.spilled_count > 1) {
    code_.lea(kScratch, plan.memory);
    plan.memory = {kScratch};
    held_ = kNothingHeld;
  }
}

// Once, ahead of everything in a block that has any.
void BlockWriter::need_vectors() {
  const u32 at = place();
  code_.mov32(kScratch, KITE_FRAME(vectors_absent));
  u8* present = code_.jrcxz();
  code_.call(common_.load_vectors);
  Emitter::bind8(present, code_.at());
  if (place() - at != kVectorBytes) __builtin_trap();
  vectors_present_ = true;
}

void BlockWriter::load(const Plan::Spilled& spilled) {
  if (spilled.high)
    code_.rorx(spilled.in, kHostOf[spilled.guest], 8);
  else
    code_.mov(spilled.in, spill_place(spilled.guest));
}

void BlockWriter::store(const Plan::Spilled& spilled) {
  if (!spilled.high) return code_.mov(spill_place(spilled.guest), spilled.in);
  code_.rorx(spilled.in, spilled.in, 56);
  code_.mov(kHostOf[spilled.guest], spilled.in);
}

bool BlockWriter::native(const Insn& insn, const Recipe& recipe) {
  if (insn.is_memory && (recipe.only_registers || !can_address(insn))) return false;
  if (recipe.only_code64 && !code64_) return false;
  const GuestCode guest = take_apart(guest_bytes_, insn, recipe.encoding, code64_);
  Plan plan;
  if (!choose_registers(insn, recipe, guest, plan)) return false;
  if (recipe.needs_x87) need_x87(insn);
  const bool leaves = insn.is_memory || recipe.may_raise;
  const u32 here = leaves ? site(insn, Site::Kind::kInstruction) : 0;
  if (insn.is_memory) reach_memory(insn, recipe, plan, here);
  for (unsigned i = 0; i < plan.spilled_count; ++i) load(plan.spilled[i]);
  if (plan.reads_rcx) code_.mov(kScratch, kHostOf[kRcx]);
  if (leaves) may_fault(here);
  write_opcode(recipe, guest, plan);
  code_.bytes(guest.tail, guest.tail_bytes);
  for (unsigned i = 0; i < plan.spilled_count; ++i)
    if (plan.spilled[i].written) store(plan.spilled[i]);
  if (plan.reads_rcx || plan.spilled_count == 3) held_ = kNothingHeld;
  if (leaves) resume_at(here);
  return true;
}

void BlockWriter::write_modrm(const Plan& plan) {
  if (plan.is_memory)
    code_.modrm(plan.reg, plan.memory);
  else
    code_.modrm(plan.reg, plan.rm);
}

void BlockWriter::write_opcode(const Recipe& recipe, const GuestCode& guest, const Plan& plan) {
  if (guest.vex) return write_vex(recipe, guest, plan);
  const bool by_opcode = recipe.encoding.register_in_opcode;
  const unsigned index = number(plan.memory.index);
  FewBytes bytes;
  if (guest.operand_prefix) bytes.byte(0x66);
  if (guest.rep) bytes.byte(guest.rep);
  if (guest.lock) bytes.byte(0xf0);
  bytes.rex(guest.wide, by_opcode ? 0 : plan.reg, plan.is_memory && index != 4 ? index : 0,
            plan.is_memory ? number(plan.memory.base) : plan.rm, plan.needs_rex);
  if (recipe.is_short_increment) {
    bytes.byte(0xff).modrm(recipe.encoding.opcode == 0x40 ? 0 : 1, plan.rm);
    return code_.write(bytes);
  }
  if (guest.map) bytes.byte(0x0f);
  if (guest.map > 1) bytes.byte(guest.map == 2 ? 0x38 : 0x3a);
  code_.write(bytes.byte(by_opcode ? (guest.opcode & ~7u) | (plan.rm & 7) : guest.opcode));
  if (recipe.encoding.has_modrm) write_modrm(plan);
}

void BlockWriter::write_vex(const Recipe& recipe, const GuestCode& guest, const Plan& plan) {
  const unsigned index = number(plan.memory.index);
  const unsigned base = plan.is_memory ? number(plan.memory.base) : plan.rm;
  const bool x = plan.is_memory && index != 4 && index > 7;
  code_.write(FewBytes()
                  .byte(0xc4)
                  .byte((plan.reg > 7 ? 0u : 0x80u) | (x ? 0u : 0x40u) | (base > 7 ? 0u : 0x20u) |
                        guest.vex_map)
                  .byte((guest.vex_last & 0x87u) | (~plan.vvvv & 15) << 3)
                  .byte(guest.opcode));
  if (recipe.encoding.has_modrm) write_modrm(plan);
}

bool BlockWriter::lea(const Insn& insn) {
  if (!can_address(insn)) return false;
  const unsigned to = insn.reg / 8u;
  const bool direct = insn.base < 16 && !is_spilled(insn.base) && !is_spilled(to) &&
                      (insn.index == kNoRegister || !is_spilled(insn.index)) && insn.width != 1 &&
                      (!code64_ || insn.address_kind == AddressKind::kSimple);
  if (direct) {
    const bool indexed = insn.index != kNoRegister;
    const HostOperand from{kHostOf[insn.base], indexed ? kHostOf[insn.index] : Host::kRsp,
                           static_cast<u8>(indexed ? insn.scale : 0), insn.disp};
    insn.width == 3 ? code_.lea(kHostOf[to], from) : code_.lea32(kHostOf[to], from);
    return true;
  }
  const Host from = address(insn, false);
  if (insn.width == 1) {
    load_guest(kValue, to);
    code_.byte(0x66);
    code_.op(false, 0x8b, number(kValue), from);
    store_guest(to, kValue);
    return true;
  }
  if (insn.width == 2) code_.mov32(kAddress, from);
  store_guest(to, insn.width == 2 ? kAddress : from);
  return true;
}

}  // namespace kite::tcg
