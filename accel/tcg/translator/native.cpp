// Instructions that are written again as they are, with other registers and another memory operand.
#include <algorithm>
#include <string_view>

#include "accel/tcg/translator/block_writer.h"
#include "accel/tcg/translator/memory_use.h"

namespace kite::tcg {

namespace {

constexpr unsigned kHighRcx = 5;  // CH, without REX

bool is_general(const OperandSpec& operand) {
  return !operand.vector && operand.place != Place::kFixed && operand.place != Place::kImmediate;
}

// Pq, Qq, Qd, Nq: the x87 unit's.
bool is_mmx_register(const OperandSpec& operand) {
  return std::string_view("PQN").find(operand.name[0]) != std::string_view::npos;
}

bool uses_vectors(const Row& row) {
  if (row.is_avx || row.attributes.has(sse)) return true;
  for (unsigned i = 0; i < row.operand_count; ++i)
    if (row.operands[i].vector && !is_mmx_register(row.operands[i])) return true;
  return false;
}

bool counts_by_cl(const Row& row) {
  for (unsigned i = 0; i < row.operand_count; ++i)
    if (std::string_view(row.operands[i].name) == "CL") return true;
  return false;
}

// BT and its kin with a register: memory is a string of bits, of which the operand is a part.
bool is_bit_string(const Row& row) {
  const Encoding& e = row.encoding;
  return e.map == 1 && (e.opcode & 0xe7) == 0xa3;
}

// May a general register operand in ModRM.rm be its place in the frame? Not what is one bit string
// with memory, nor XCHG, which locks. A store narrower than the register leaves the rest as it was,
// and the host forwards no load of all of it from one.
bool can_stay_in_frame(const OperandSpec& operand, const Insn& insn, const Row& row) {
  if (operand.place != Place::kModRm || is_bit_string(row) || row.attributes.has(always_locked) ||
      insn.is_memory)
    return false;
  if (!writes(operand)) return true;
  const auto written = std::count_if(row.operands.begin(), row.operands.begin() + row.operand_count,
                                     [](const OperandSpec& other) { return writes(other); });
  return written == 1 && operand.bytes == 0 && insn.width == 3;
}

// May raise #DE or #XM.
bool may_raise(const Row& row) {
  const std::string_view name = row.name;
  return row.attributes.has(mxcsr) || name == "div" || name == "idiv";
}

// PCMPESTRI and kin answer in ECX, which is elsewhere here.
bool answers_in_ecx(const Row& row) {
  return std::string_view(row.name).ends_with("stri");
}

}  // namespace

// The host's number for a general register operand. False: it cannot be written.
bool BlockWriter::rename(const OperandSpec& operand, unsigned guest, bool has_rex, Plan& plan,
                         unsigned& number_) const {
  const bool high = operand.bytes == 1 && !has_rex && guest >= 4 && guest < 8;
  if (high && guest != kHighRcx) {  // AH, DH, BH
    plan.forbids_rex = true;
    number_ = guest;
    return true;
  }
  if (high) guest = kRcx;
  if (!high && !is_spilled(guest)) {
    plan.writes_rcx |= guest == kRcx && writes(operand);
    number_ = number(kHostOf[guest]);
    plan.needs_rex |= operand.bytes == 1 && number_ >= 4 && number_ < 8;
    return true;
  }
  for (unsigned i = 0; i < plan.spilled_count; ++i) {
    if (plan.spilled[i].guest != guest) continue;
    plan.spilled[i].written |= writes(operand);
    number_ = number(plan.spilled[i].in);
    return true;
  }
  constexpr Host kPlaces[] = {kValue, kAddress, kScratch};
  const unsigned free = plan.is_memory || plan.counts ? 2 : 3;
  if (plan.spilled_count == free) return false;
  const Host in = kPlaces[plan.spilled_count];
  if (plan.counts && plan.is_memory && in == kAddress) return false;
  plan.spilled[plan.spilled_count++] = {guest, in, writes(operand), high};
  number_ = number(in);
  return true;
}

bool BlockWriter::choose_registers(const Insn& insn, const Row& row, const GuestCode& guest,
                                   Plan& plan) const {
  plan.is_memory = insn.is_memory;
  plan.counts = counts_by_cl(row);
  plan.reg =
      row.encoding.modrm_reg >= 0 ? static_cast<unsigned>(row.encoding.modrm_reg) : guest.reg;
  plan.rm = guest.rm;
  plan.vvvv = insn.vreg / 8u;
  const bool has_rex = guest.has_rex || guest.vex;
  for (unsigned i = 0; i < row.operand_count; ++i) {
    const OperandSpec& operand = row.operands[i];
    if (!is_general(operand) || (is_memory_operand(operand) && insn.is_memory)) continue;
    if (is_spilled(guest.rm) && can_stay_in_frame(operand, insn, row)) {
      plan.is_memory = true;
      plan.memory = spill_place(guest.rm);
      continue;
    }
    bool done = true;
    if (operand.place == Place::kModReg)
      done = rename(operand, guest.reg, has_rex, plan, plan.reg);
    else if (operand.place == Place::kVvvv)
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
void BlockWriter::reach_memory(const Insn& insn, const Row& row, const GuestCode& guest, Plan& plan,
                               u32 site) {
  plan.memory = reach_operand(insn, memory_bytes(insn, row, guest), writes_memory(row), site);
  if (plan.counts) {
    code_.lea(kAddress, plan.memory);
    plan.memory = {kAddress};
  } else if (plan.forbids_rex || plan.spilled_count > 1) {
    code_.lea(kScratch, plan.memory);
    plan.memory = {kScratch};
    held_ = kNothingHeld;
  }
}

void BlockWriter::need_vectors() {
  if (vectors_present_) return;
  held_ = kNothingHeld;
  code_.mov32(kScratch, KITE_FRAME(vectors_absent));
  u8* present = code_.jrcxz();
  code_.call(common_.load_vectors);
  Emitter::bind8(present, code_.at());
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

bool BlockWriter::native(const Insn& insn, const Row& row) {
  const GuestCode guest = take_apart(guest_bytes_, insn, row, code64_);
  if (insn.is_memory && !can_address(insn)) return false;
  if ((insn.is_memory && is_bit_string(row)) || answers_in_ecx(row)) return false;
  // Registers from 8 on do not exist there, but here they do.
  const bool zeroes_all = row.encoding.vex && row.encoding.opcode == 0x77;
  if ((row.encoding.is4 || zeroes_all) && !code64_) return false;
  Plan plan;
  if (!choose_registers(insn, row, guest, plan)) return false;
  if (uses_vectors(row)) need_vectors();
  if (row.attributes.has(mmx)) need_x87(insn);
  const bool leaves = insn.is_memory || may_raise(row);
  const u32 here = leaves ? site(insn, Site::Kind::kInstruction) : 0;
  if (insn.is_memory) reach_memory(insn, row, guest, plan, here);
  for (unsigned i = 0; i < plan.spilled_count; ++i) load(plan.spilled[i]);
  if (plan.counts) code_.mov32(kScratch, kHostOf[kRcx]);
  if (leaves) may_fault(here);
  write_opcode(row, guest, plan);
  code_.bytes(guest.tail, guest.tail_bytes);
  for (unsigned i = 0; i < plan.spilled_count; ++i)
    if (plan.spilled[i].written) store(plan.spilled[i]);
  if (plan.counts || plan.spilled_count == 3) held_ = kNothingHeld;
  if (leaves) resume_at(here);
  return true;
}

void BlockWriter::write_prefixes(const GuestCode& guest, const Plan& plan) {
  if (guest.operand_prefix) code_.byte(0x66);
  if (guest.rep) code_.byte(guest.rep);
  if (guest.lock) code_.byte(0xf0);
  const unsigned index = number(plan.memory.index);
  code_.rex(guest.wide, plan.reg, plan.is_memory && index != 4 ? index : 0,
            plan.is_memory ? number(plan.memory.base) : plan.rm, plan.needs_rex);
}

void BlockWriter::write_modrm(const Plan& plan) {
  if (plan.is_memory)
    code_.modrm(plan.reg, plan.memory);
  else
    code_.modrm(plan.reg, plan.rm);
}

void BlockWriter::write_opcode(const Row& row, const GuestCode& guest, const Plan& plan) {
  if (guest.vex) return write_vex(row, guest, plan);
  const bool by_opcode = row.encoding.register_in_opcode;
  Plan written = plan;
  if (by_opcode) written.reg = 0;
  write_prefixes(guest, written);
  if (by_opcode && row.attributes.has(not64)) {  // INC r, DEC r: those bytes are REX here
    code_.byte(0xff);
    code_.modrm(row.encoding.opcode == 0x40 ? 0 : 1, plan.rm);
    return;
  }
  if (guest.map) code_.byte(0x0f);
  if (guest.map > 1) code_.byte(guest.map == 2 ? 0x38 : 0x3a);
  code_.byte(by_opcode ? (guest.opcode & ~7u) | (plan.rm & 7) : guest.opcode);
  if (row.encoding.has_modrm) write_modrm(plan);
}

void BlockWriter::write_vex(const Row& row, const GuestCode& guest, const Plan& plan) {
  const unsigned index = number(plan.memory.index);
  const unsigned base = plan.is_memory ? number(plan.memory.base) : plan.rm;
  const bool x = plan.is_memory && index != 4 && index > 7;
  code_.byte(0xc4);
  code_.byte((plan.reg > 7 ? 0u : 0x80u) | (x ? 0u : 0x40u) | (base > 7 ? 0u : 0x20u) |
             guest.vex_map);
  code_.byte((guest.vex_last & 0x87u) | (~plan.vvvv & 15) << 3);
  code_.byte(guest.opcode);
  if (row.encoding.has_modrm) write_modrm(plan);
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
