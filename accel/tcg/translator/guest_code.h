// GuestCode: the parts of one guest instruction's bytes that are written again for the host.
#pragma once

#include "accel/tcg/insn.h"
#include "accel/tcg/isa/encoding.h"

namespace kite::tcg {

struct GuestCode {
  bool operand_prefix = false;  // 66h
  bool lock = false;
  u8 rep = 0;  // F2h or F3h, if it is part of the opcode
  bool has_rex = false;
  bool wide = false;  // REX.W, VEX.W
  bool vex = false;
  u8 vex_map = 0;   // VEX.mmmmm
  u8 vex_last = 0;  // the last byte of the VEX prefix: W vvvv L pp
  u8 map = 0;       // as Encoding::map
  u8 opcode = 0;
  u8 modrm = 0;
  unsigned reg = 0, rm = 0;  // with REX; of ModRM or the opcode
  const u8* tail = nullptr;  // immediates
  unsigned tail_bytes = 0;
};

// `bytes` are the insn.length bytes of an instruction that was decoded by `encoding`. `code64`: REX
// exists.
GuestCode take_apart(const u8* bytes, const Insn& insn, const Encoding& encoding, bool code64);

}  // namespace kite::tcg
