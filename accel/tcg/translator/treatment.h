// Treatment: what becomes of an instruction in translated code, by its row.
#pragma once

#include <vector>

#include "accel/tcg/isa/row.h"

namespace kite::tcg {

enum class Treatment : u8 {
  kInterpret,   // its handler is called
  kNative,      // the same instruction, with other registers and another memory operand
  kX87,         // the same, with x87 registers
  kX87Control,  // and it is not the instruction that x87's pointers tell
  kNothing,     // a NOP
  kLea,
  kPush,
  kPop,
  kLeave,
  kPushFlags,  // PUSHF and CLI at CPL 0
  kClearInterrupts,
  kJump,          // direct: JMP rel
  kBranch,        // Jcc
  kCall,          // CALL rel
  kJumpIndirect,  // JMP, CALL and RET through a register or memory
  kCallIndirect,
  kReturn,
};

// By the number of the row. A row is native if the host's instruction is all of it: its operands
// are general or vector registers, memory and immediates, it needs no privilege, and no two
// processors disagree about its result.
class Treatments {
 public:
  Treatments();
  Treatment of(const Insn& insn) const {
    return insn.row == kNoRowNumber ? Treatment::kInterpret : by_row_[insn.row];
  }

 private:
  static constexpr u16 kNoRowNumber = 0xffff;
  std::vector<Treatment> by_row_;
};

// Has the host what the row's instruction needs?
bool host_has_features_of(const Row& row);
// … and what translated code is made of: RORX, and the vector registers of AVX2.
bool host_can_translate();

}  // namespace kite::tcg
