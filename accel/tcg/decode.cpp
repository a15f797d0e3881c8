#include "accel/tcg/decode.h"

#include <algorithm>

#include "accel/tcg/decode_run.h"
#include "accel/tcg/isa/row.h"

namespace kite::tcg {

namespace {

using Prefix = Encoding::Prefix;

// What matching prefers: rows that say more about themselves.
unsigned specificity(const Row& row) {
  const Encoding& e = row.encoding;
  unsigned score = 0;
  if (e.fixed_modrm >= 0) score += e.fixed_plus_i ? 16 : 32;
  if (e.modrm_reg >= 0) score += 8;
  if (e.prefix != Prefix::kAny) score += 4;
  if (e.w >= 0) score += 2;
  if (!e.register_in_opcode) score += 1;
  return score;
}

bool offered(const Row& row, const CpuModel& model) {
  for (unsigned i = 0; i < row.feature_count; ++i)
    if (!model.has(row.features[i])) return false;
  return true;
}

// A RIP-relative operand almost 2 GiB ahead: its displacement counts from the next instruction
// again, and what lies between stands for a moment in the register that is none.
template <unsigned kWidth>
Flow execute_far_relative(Cpu& cpu, const Insn& insn) {
  const Row& row = rows()[insn.row];
  const bool locked = insn.lock || row.attributes.has(always_locked);
  Insn again = insn;
  again.disp = static_cast<i32>(static_cast<u32>(insn.disp) - insn.next_offset);
  cpu.gpr[kNoRegister] = insn.next_offset;
  const Flow flow = row.handler(kWidth, locked ? Shape::kLocked : Shape::kMemory)(cpu, again);
  cpu.gpr[kNoRegister] = 0;
  return flow;
}
constexpr Handler kFarRelative[] = {&execute_far_relative<0>, &execute_far_relative<1>,
                                    &execute_far_relative<2>, &execute_far_relative<3>};

Flow raise_undefined(Cpu& cpu, const Insn&) {
  return cpu.undefined_opcode();
}
Flow raise_protection(Cpu& cpu, const Insn&) {
  return cpu.general_protection();
}
Flow raise_not_available(Cpu& cpu, const Insn&) {
  return cpu.device_not_available();
}

}  // namespace

Decoder::Decoder(const CpuModel& model) : has_avx2_(model.has(Feature::kAvx2)) {
  has_modrm_ = {};
  register_form_ = {};
  const auto all = rows();
  for (u16 number = 0; number < all.size(); ++number) {
    const Row& row = all[number];
    const Encoding& e = row.encoding;
    if (e.has_modrm) has_modrm_[e.map][e.opcode] = true;
    if (row.attributes.has(register_form)) register_form_[e.map][e.opcode] = true;
    if (!offered(row, model)) continue;
    for (unsigned i = 0; i < (e.register_in_opcode ? 8 : 1); ++i)
      maps_[e.map][e.opcode + i].push_back(number);
  }
  for (auto& map : maps_)
    for (auto& list : map)
      std::stable_sort(list.begin(), list.end(),
                       [&](u16 a, u16 b) { return specificity(all[a]) > specificity(all[b]); });
}

const Row* Decoder::row_of(const Insn& insn) {
  return insn.row == kNoRow ? nullptr : &rows()[insn.row];
}

bool Decoder::has_rows_handler(const Insn& insn) {
  if (insn.row == kNoRow) return false;
  for (Handler other : {&raise_undefined, &raise_protection, &raise_not_available})
    if (insn.handler == other) return false;
  return std::find(std::begin(kFarRelative), std::end(kFarRelative), insn.handler) ==
         std::end(kFarRelative);
}

bool DecodeRun::matches(const Row& row) const {
  const Encoding& e = row.encoding;
  if (e.vex != has_vex_) return false;
  if (e.vex && e.vex_l >= 0 && e.vex_l != vex_l_) return false;
  if (e.w >= 0 && e.w != (rex_ >> 3 & 1)) return false;
  switch (e.prefix) {
    case Prefix::kAny:
      break;
    case Prefix::kNone:
      if (operand_prefix_ || rep_) return false;
      break;
    case Prefix::k66:
      if (!operand_prefix_ || rep_) return false;
      break;
    case Prefix::kF3:
      if (rep_ != kRepE) return false;
      break;
    case Prefix::kF2:
      if (rep_ != kRepNe) return false;
      break;
  }
  if (row.attributes.has(code64() ? not64 : only64)) return false;
  // 90h with REX.B is XCHG r8, not NOP.
  if (opcode_ == 0x90 && map_ == 0 && (rex_ & 1) && !e.register_in_opcode) return false;
  if (!e.has_modrm) return true;
  if (e.fixed_modrm >= 0) return (modrm_ & (e.fixed_plus_i ? 0xf8 : 0xff)) == e.fixed_modrm;
  if (e.modrm_reg >= 0 && e.modrm_reg != (modrm_ >> 3 & 7)) return false;
  if (insn_.is_memory) return !row.has(Place::kModRmRegister);
  return !row.has(Place::kModRmMemory);
}

const Row* DecodeRun::find() {
  const auto all = rows();
  for (u16 number : decoder_.maps_[map_][opcode_]) {
    if (!matches(all[number])) continue;
    insn_.row = number;
    return &all[number];
  }
  return nullptr;
}

void DecodeRun::widths(const Row* row) {
  if (has_vex_) {  // 66h is part of the opcode
    operand_width_ = code64() && (rex_ & 8) ? 3 : 2;
    return;
  }
  if (!code64()) {
    operand_width_ = (mode_.code_width == 2) != operand_prefix_ ? 2 : 1;
    return;
  }
  operand_width_ = rex_ & 8 ? 3 : operand_prefix_ ? 1 : 2;
  if (row && row->attributes.has(force64)) operand_width_ = 3;
  if (row && row->attributes.has(default64) && operand_width_ == 2) operand_width_ = 3;
}

u8 DecodeRun::byte_register(u8 offset) const {
  const u8 number = offset / 8;
  return has_rex_ || has_vex_ || number < 4 ? offset : static_cast<u8>((number - 4) * 8 + 1);
}

void DecodeRun::registers(const Row& row) {
  for (unsigned i = 0; i < row.operand_count; ++i) {
    const OperandSpec& operand = row.operands[i];
    if (operand.place == Place::kOpcode)
      insn_.reg = static_cast<u8>(((opcode_ & 7) | (rex_ & 1 ? 8 : 0)) * 8);
    if (operand.bytes != 1 || operand.vector) continue;
    if (operand.place == Place::kModReg || operand.place == Place::kOpcode)
      insn_.reg = byte_register(insn_.reg);
    else if (operand.place == Place::kModRm || operand.place == Place::kModRmRegister)
      insn_.rm = byte_register(insn_.rm);
  }
}

// The index is a vector, which the operand finds in `imm`; the address is base and displacement.
void DecodeRun::gather_index() {
  insn_.imm = sib_index_ * 8;
  insn_.index = kNoRegister;
}

// VEX.vvvv that names nothing must be 1111b (SDM 2A 2.3.5.6); a gather has a SIB byte and three
// different registers (SDM 2C "VPGATHERDD").
bool DecodeRun::vex_is_legal(const Row& row) const {
  if (!row.has(Place::kVvvv) && insn_.vreg != 0) return false;
  if (row.attributes.has(wide_avx2) && vex_l_ && !decoder_.has_avx2_) return false;
  if (!row.attributes.has(vsib)) return true;
  const unsigned index = sib_index_ * 8u;
  return has_sib_ && index != insn_.reg && index != insn_.vreg && insn_.reg != insn_.vreg;
}

// Would the displacement, counted from the start of a block rather than from the next instruction,
// leave its 32 bits?
bool DecodeRun::is_far_relative() const {
  return insn_.base == kBlockRip && insn_.disp > 0x7fffffff - static_cast<i32>(kPageSize);
}

// What the mode forbids is decided here, once, not each time the instruction runs.
Handler DecodeRun::choose(const Row& row) const {
  const Attributes a = row.attributes;
  if (lock_ && !(row.is_lockable && insn_.is_memory)) return &raise_undefined;
  if (a.has(no_rep) && rep_) return &raise_undefined;
  if (a.has(protected_only) && (!mode_.protected_mode || mode_.v86)) return &raise_undefined;
  if (a.has(undefined)) return &raise_undefined;
  if (has_vex_ && !vex_is_legal(row)) return &raise_undefined;
  if (row.is_avx && mode_.avx_trap == 1) return &raise_undefined;
  if (row.is_avx && mode_.avx_trap) return &raise_not_available;
  if (a.has(sse) && mode_.sse_trap == 1) return &raise_undefined;
  if (a.has(sse) && mode_.sse_trap) return &raise_not_available;
  if (a.has(mmx) && mode_.x87_trap == 2) return &raise_undefined;
  if ((a.has(x87) || a.has(mmx)) && mode_.x87_trap) return &raise_not_available;
  if (a.has(wait) && mode_.wait_trap) return &raise_not_available;
  if (a.has(cpl0) && mode_.cpl != 0) return &raise_protection;
  const bool locked = lock_ || (a.has(always_locked) && insn_.is_memory);
  const Shape shape = locked ? Shape::kLocked : insn_.is_memory ? Shape::kMemory : Shape::kRegister;
  const unsigned width = row.by_length ? vex_l_ : operand_width_;
  if (is_far_relative()) return kFarRelative[width];
  return row.handler(width, row.encoding.has_modrm || lock_ ? shape : Shape::kRegister);
}

DecodeStatus DecodeRun::finish(Handler handler) {
  insn_.handler = handler;
  insn_.length = static_cast<u8>(at_);
  insn_.next_offset = static_cast<u16>(at_);
  insn_.width = operand_width_ & 3;
  insn_.lock = lock_;
  insn_.rep = rep_ & 3;
  insn_.opcode = opcode_;
  // In 64-bit mode ES, CS, SS and DS have base 0 and no limit (SDM 1 3.3.4).
  const bool stack_base = insn_.base == kRsp || insn_.base == kRbp;
  u8 segment = stack_base && insn_.is_memory ? kSs : kDs;
  if (segment_override_ >= 0) segment = static_cast<u8>(segment_override_);
  if (code64() && segment < kFs) segment = stack_base && insn_.is_memory ? kFlatStack : kFlat;
  insn_.segment = segment & 7;
  insn_.address_kind = !code64()                  ? AddressKind::kSegmented
                       : insn_.address_width == 3 ? AddressKind::kSimple
                                                  : AddressKind::kLong32;
  if (insn_.base == kBlockRip)
    insn_.disp = static_cast<i32>(static_cast<u32>(insn_.disp) + static_cast<u32>(at_));
  return DecodeStatus::kOk;
}

DecodeStatus DecodeRun::run() {
  insn_ = {};
  insn_.row = kNoRow;
  insn_.base = insn_.index = kNoRegister;
  const bool truncated_is_long = bytes_.size() >= kMaxInsnLength;
  bytes_ = bytes_.first(std::min<std::size_t>(bytes_.size(), kMaxInsnLength));
  const auto out_of_bytes = [&] {
    if (!truncated_is_long) return DecodeStatus::kNeedMore;
    return finish(&raise_protection);
  };
  if (!prefixes()) return out_of_bytes();
  constexpr u8 kNarrower[] = {0, 2, 1, 2};
  insn_.address_width = (address_prefix_ ? kNarrower[mode_.code_width] : mode_.code_width) & 3;
  const bool early_prefix = operand_prefix_ || rep_ || lock_ || has_rex_;
  if (!opcode()) return out_of_bytes();
  if (has_vex_ && early_prefix) return finish(&raise_undefined);
  if (map_ > 3) return finish(&raise_undefined);
  if (decoder_.has_modrm_[map_][opcode_] && !modrm()) return out_of_bytes();
  const Row* row = find();
  widths(row);
  if (!row) return finish(&raise_undefined);
  registers(*row);
  if (!immediates(*row)) return out_of_bytes();
  if (row->encoding.is4 && !code64()) insn_.imm &= 0x7f;
  if (row->attributes.has(vsib)) gather_index();
  return finish(choose(*row));
}

DecodeStatus Decoder::decode(std::span<const u8> bytes, Mode mode, Insn& insn) const {
  return DecodeRun(*this, bytes, mode, insn).run();
}

}  // namespace kite::tcg
