// Insn: one decoded guest instruction, ready to run.
#pragma once

#include "base/types.h"

namespace kite::tcg {

struct Cpu;
struct Insn;

// What a handler tells the engine.
enum class Flow : u8 {
  kNext,   // go on with the next instruction of the block
  kLeave,  // Cpu::rip is set; look for the next block
  kFault,  // Cpu::fault is set, nothing else was changed; deliver it at this instruction
};

using Handler = Flow (*)(Cpu&, const Insn&);

// How the offset of a memory operand becomes a linear address.
enum class AddressKind : u8 {
  kSimple,     // 64-bit mode, 64-bit addresses: one addition
  kLong32,     // 64-bit mode, 32-bit addresses
  kSegmented,  // other modes: offset wraps at `address_mask`, segment limits and types are checked
};

// Segment numbers beyond the six registers: 64-bit mode treats ES, CS, SS, DS as flat.
inline constexpr u8 kFlat = 6;       // faults are #GP
inline constexpr u8 kFlatStack = 7;  // faults are #SS

// Cpu::gpr has two entries more than the architecture.
inline constexpr u8 kNoRegister = 16;  // always 0
inline constexpr u8 kBlockRip = 17;    // RIP at the start of the running block

inline constexpr u8 kRepNone = 0, kRepNe = 2, kRepE = 3;  // F2h, F3h

// 32 bytes, because the interpreter's speed is the cache's.
struct Insn {
  Handler handler;
  union {
    struct {
      i32 imm;   // sign-extended by its reader
      i32 disp;  // displacement; RIP-relative ones count from the block's start
    };
    u64 imm64;  // MOV r64, imm64; moffs; far pointers: offset in the low 32 bits, selector above
  };
  u8 reg;    // ModRM.reg, or the register in the opcode: byte offset into Cpu::gpr (vector number
             // times 8)
  u8 rm;     // ModRM.rm, if it is a register: the same
  u8 base;   // index into Cpu::gpr
  u8 index;  // index into Cpu::gpr
  u8 scale : 2;  // shift of the index
  u8 segment : 3;
  u8 width : 2;      // operand size: 0 not sized, 1 = 16, 2 = 32, 3 = 64 bits
  u8 is_memory : 1;  // ModRM.rm is memory
  AddressKind address_kind : 2;
  u8 address_width : 2;  // 1 = 16, 2 = 32, 3 = 64 bits
  u8 rep : 2;            // kRepNone, kRepNe, kRepE
  u8 lock : 1;
  u8 is_last : 1;   // nothing of the block follows
  u8 length;        // bytes
  u8 ordinal;       // in the block, from 0
  u16 next_offset;  // of the following instruction, from the block's start
  u16 row;          // number of its Row
  u8 vreg;          // VEX.vvvv
  u8 opcode;        // the last opcode byte

  u64 address_mask() const {
    return address_width == 3 ? ~u64{0} : address_width == 2 ? 0xffffffffu : 0xffffu;
  }
};

static_assert(sizeof(Insn) == 32);

}  // namespace kite::tcg
