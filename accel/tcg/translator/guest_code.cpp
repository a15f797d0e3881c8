#include "accel/tcg/translator/guest_code.h"

namespace kite::tcg {

namespace {

class Reader {
 public:
  Reader(const u8* bytes, bool code64, GuestCode& code)
      : at_(bytes), code64_(code64), code_(code) {}

  void prefixes() {
    for (;; ++at_) {
      switch (*at_) {
        case 0x66:
          code_.operand_prefix = true;
          break;
        case 0xf0:
          code_.lock = true;
          break;
        case 0xf2:
        case 0xf3:
          code_.rep = *at_;
          break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0x67:
          break;
        default:
          if (!code64_ || (*at_ & 0xf0) != 0x40) return;
          rex_ = *at_;
          code_.has_rex = true;
          continue;
      }
      rex_ = 0;  // counts only directly before the opcode
      code_.has_rex = false;
    }
  }

  void opcode(bool vex) {
    if (vex) return vex_opcode();
    code_.wide = rex_ & 8;
    code_.opcode = *at_++;
    if (code_.opcode != 0x0f) return;
    code_.map = 1;
    code_.opcode = *at_++;
    if (code_.opcode != 0x38 && code_.opcode != 0x3a) return;
    code_.map = code_.opcode == 0x38 ? 2 : 3;
    code_.opcode = *at_++;
  }

  // The displacement is the operand's, which Insn has.
  void modrm(unsigned address_width) {
    code_.modrm = *at_++;
    const unsigned mod = code_.modrm >> 6, rm = code_.modrm & 7;
    code_.reg = (code_.modrm >> 3 & 7u) | (rex_ & 4 ? 8 : 0);
    code_.rm = rm | (rex_ & 1 ? 8 : 0);
    if (mod == 3) return;
    if (address_width == 1) {
      at_ += mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
      return;
    }
    const bool no_base = rm == 4 ? (*at_++ & 7) == 5 : rm == 5;
    at_ += mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0;
  }

  void register_in_opcode() { code_.rm = (code_.opcode & 7u) | (rex_ & 1 ? 8 : 0); }
  // Of general registers, that is: it means nothing in 32-bit code (SDM 2A 2.3.5.5).
  void ignore_vex_w() {
    code_.vex_last &= 0x7f;
    code_.wide = false;
  }
  const u8* at() const { return at_; }

 private:
  void vex_opcode() {
    code_.vex = true;
    const u8 first = *at_++, second = *at_++;
    code_.vex_map = 1;
    rex_ = static_cast<u8>(~second >> 5 & 4);
    code_.vex_last = second & 0x7f;  // C5h has no W
    if (first == 0xc4) {
      rex_ = static_cast<u8>(~second >> 5 & 7);
      code_.vex_map = second & 0x1f;
      code_.vex_last = *at_++;
    }
    if (!code64_) rex_ = 0;
    code_.wide = code_.vex_last & 0x80;
    code_.opcode = *at_++;
  }

  const u8* at_;
  const bool code64_;
  GuestCode& code_;
  u8 rex_ = 0;
};

}  // namespace

GuestCode take_apart(const u8* bytes, const Insn& insn, const Encoding& encoding, bool code64) {
  GuestCode code;
  Reader reader(bytes, code64, code);
  reader.prefixes();
  reader.opcode(encoding.vex);
  if (encoding.vex && encoding.w < 0 && !code64) reader.ignore_vex_w();
  if (encoding.has_modrm) reader.modrm(insn.address_width);
  if (encoding.register_in_opcode) reader.register_in_opcode();
  // One that does not choose the row is ignored: F3h makes TZCNT of BSF, for who has TZCNT.
  using Prefix = Encoding::Prefix;
  if (encoding.prefix != Prefix::kF2 && encoding.prefix != Prefix::kF3) code.rep = 0;
  code.tail = reader.at();
  code.tail_bytes = static_cast<unsigned>(bytes + insn.length - reader.at());
  return code;
}

}  // namespace kite::tcg
