// The bytes of an instruction: prefixes, opcode, ModRM and SIB, displacement, immediates (SDM 2A
// 2). Every function answers false where the bytes end too early.
#include "accel/tcg/decode_run.h"

namespace kite::tcg {

bool DecodeRun::prefixes() {
  for (u8 byte; next(byte);) {
    switch (byte) {
      case 0x66:
        operand_prefix_ = true;
        break;
      case 0x67:
        address_prefix_ = true;
        break;
      case 0xf0:
        lock_ = true;
        break;
      case 0xf2:
        rep_ = kRepNe;
        break;
      case 0xf3:
        rep_ = kRepE;
        break;
      // In 64-bit mode these four change nothing, not even an FS or GS before them (SDM 1 3.3.7.1).
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        if (!code64()) segment_override_ = byte >> 3 & 3;
        break;
      case 0x64:
        segment_override_ = kFs;
        break;
      case 0x65:
        segment_override_ = kGs;
        break;
      default:
        if (code64() && (byte & 0xf0) == 0x40) {
          rex_ = byte;
          has_rex_ = true;
          continue;  // counts only directly before the opcode
        }
        --at_;
        return true;
    }
    rex_ = 0;
    has_rex_ = false;
  }
  return false;
}

bool DecodeRun::vex(u8 first) {
  u8 byte;
  if (!next(byte)) return false;
  u8 third = byte;
  rex_ = static_cast<u8>(~byte >> 5 & 4);  // R
  map_ = 1;
  if (first == 0xc4) {
    rex_ = static_cast<u8>(~byte >> 5 & 7);
    map_ = byte & 0x1f;
    if (!next(third)) return false;
    if (third & 0x80) rex_ |= 8;
  }
  if (!code64()) rex_ &= 8;
  // Outside 64-bit mode the top bit of vvvv is ignored (SDM 2A 2.3.5.6).
  insn_.vreg = static_cast<u8>((~third >> 3 & (code64() ? 0xf : 7)) * 8);
  vex_l_ = third >> 2 & 1;
  constexpr u8 kRep[] = {kRepNone, kRepNone, kRepE, kRepNe};
  operand_prefix_ = (third & 3) == 1;
  rep_ = kRep[third & 3];
  has_vex_ = true;
  if (map_ == 0 || map_ > 3) map_ = 0xff;  // no such map: undefined
  return next(opcode_);
}

bool DecodeRun::opcode() {
  if (!next(opcode_)) return false;
  if (opcode_ == 0xc4 || opcode_ == 0xc5) {
    if (at_ >= bytes_.size()) return false;
    if ((code64() || (mode_.protected_mode && !mode_.v86 && (bytes_[at_] & 0xc0) == 0xc0)))
      return vex(opcode_);
  }
  if (opcode_ != 0x0f) return true;
  map_ = 1;
  if (!next(opcode_)) return false;
  if (opcode_ == 0x38 || opcode_ == 0x3a) {
    map_ = opcode_ == 0x38 ? 2 : 3;
    return next(opcode_);
  }
  return true;
}

bool DecodeRun::displacement(unsigned size) {
  u64 value = 0;
  if (size && !number(size, value)) return false;
  insn_.disp = size ? static_cast<i32>(sign_extend(value, 8 * size)) : 0;
  return true;
}

bool DecodeRun::address16(u8 mod, u8 rm) {
  constexpr u8 kBase[] = {kRbx, kRbx, kRbp, kRbp, kRsi, kRdi, kRbp, kRbx};
  constexpr u8 kIndex[] = {kRsi,        kRdi,        kRsi,        kRdi,
                           kNoRegister, kNoRegister, kNoRegister, kNoRegister};
  insn_.base = kBase[rm];
  insn_.index = kIndex[rm];
  if (mod == 0 && rm == 6) {
    insn_.base = kNoRegister;
    return displacement(2);
  }
  return displacement(mod);  // mod 1: one byte, mod 2: two
}

bool DecodeRun::sib(u8 mod) {
  u8 byte;
  if (!next(byte)) return false;
  insn_.scale = byte >> 6 & 3;
  insn_.index = static_cast<u8>((byte >> 3 & 7) | (rex_ & 2 ? 8 : 0));
  sib_index_ = insn_.index;
  has_sib_ = true;
  if (insn_.index == kRsp) insn_.index = kNoRegister;
  insn_.base = static_cast<u8>((byte & 7) | (rex_ & 1 ? 8 : 0));
  if ((byte & 7) == kRbp && mod == 0) {
    insn_.base = kNoRegister;
    return displacement(4);
  }
  return true;
}

bool DecodeRun::modrm() {
  if (!next(modrm_)) return false;
  if (decoder_.register_form_[map_][opcode_]) modrm_ |= 0xc0;
  const u8 mod = modrm_ >> 6, rm = modrm_ & 7;
  insn_.reg = static_cast<u8>(((modrm_ >> 3 & 7) | (rex_ & 4 ? 8 : 0)) * 8);
  insn_.rm = static_cast<u8>((rm | (rex_ & 1 ? 8 : 0)) * 8);
  insn_.is_memory = mod != 3;
  if (mod == 3) return true;
  if (insn_.address_width == 1) return address16(mod, rm);
  insn_.base = static_cast<u8>(rm | (rex_ & 1 ? 8 : 0));
  if (rm == kRsp) {
    const std::size_t before = at_;
    if (!sib(mod)) return false;
    if (at_ != before + 1) return true;  // it had its displacement
  } else if (rm == kRbp && mod == 0) {
    insn_.base = code64() ? kBlockRip : kNoRegister;
    return displacement(4);
  }
  return displacement(mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

bool DecodeRun::immediate(Encoding::Immediate kind, unsigned n) {
  using Kind = Encoding::Immediate;
  constexpr unsigned kBytesOfWidth[] = {1, 2, 4, 8};
  u64 value = 0;
  switch (kind) {
    case Kind::kNoImmediate:
      return true;
    case Kind::kByte:
      if (!number(1, value)) return false;
      if (n == 1)
        insn_.imm = static_cast<i32>((static_cast<u32>(insn_.imm) & 0xffff) | value << 16);
      else
        insn_.imm = static_cast<i8>(value);
      return true;
    case Kind::kWord:
      if (!number(2, value)) return false;
      insn_.imm = static_cast<i32>(value);
      return true;
    case Kind::kDword:
      if (!number(4, value)) return false;
      insn_.imm = static_cast<i32>(value);
      return true;
    case Kind::kZ: {
      const unsigned size = operand_width_ == 1 ? 2 : 4;
      if (!number(size, value)) return false;
      insn_.imm = static_cast<i32>(sign_extend(value, 8 * size));
      return true;
    }
    case Kind::kV:
      return number(kBytesOfWidth[operand_width_], insn_.imm64);
    case Kind::kOffset:
      return number(kBytesOfWidth[insn_.address_width], insn_.imm64);
    case Kind::kFar: {
      u64 selector;
      if (!number(operand_width_ == 1 ? 2 : 4, value) || !number(2, selector)) return false;
      insn_.imm64 = value | selector << 32;
      return true;
    }
  }
  return false;
}

bool DecodeRun::immediates(const Row& row) {
  return immediate(row.encoding.immediates[0], 0) && immediate(row.encoding.immediates[1], 1);
}

}  // namespace kite::tcg
