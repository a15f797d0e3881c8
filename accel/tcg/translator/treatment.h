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
  kPushFlags,  // PUSHF and those behind it at CPL 0
  kClearInterrupts,
  kSetInterrupts,
  kAllowAccess,  // STAC
  kForbidAccess,
  kSwapGs,
  kJump,          // direct: JMP rel
  kBranch,        // Jcc
  kCall,          // CALL rel
  kJumpIndirect,  // JMP, CALL and RET through a register or memory
  kCallIndirect,
  kReturn,
};

// An operand in a general register that the encoding names.
struct GeneralOperand {
  enum class Field : u8 { kReg, kVvvv, kRm };
  // In ModRM.rm, may it be its place in the frame?
  enum class InFrame : u8 { kNever, kIfWide, kAlways };
  Field field = Field::kRm;  // of ModRM, VEX or, as kRm, the opcode
  bool may_be_memory = false;
  bool is_byte = false;
  bool is_written = false;
  InFrame in_frame = InFrame::kNever;
};

// What the translator wants to know of a row: found out once, and no more than two cache lines.
struct Recipe {
  Treatment treatment = Treatment::kInterpret;
  Encoding encoding;
  bool ends_block = true;
  bool needs_vectors = false, needs_x87 = false;
  bool may_raise = false;           // #DE or #XM
  bool reads_rcx = false;           // as CL, or as half of a pair
  bool only_code64 = false;         // elsewhere it means fewer registers
  bool only_registers = false;      // its memory is more than an operand
  bool is_short_increment = false;  // INC r, DEC r: those bytes are REX in 64-bit code
  bool waits = false;

  std::array<GeneralOperand, 4> general = {};
  u8 general_count = 0;

  // The memory operand, by Insn::width: bytes at most; `by_vex`: as long as VEX.L says.
  std::array<u8, 4> memory_bytes = {};
  bool by_vex = false;
  bool writes_memory = false;
  bool is_aligned = false;  // or it faults

  // General registers that a native instruction writes besides `general`: a bit for each.
  u16 fixed_written = 0;
  i8 adds = 0;            // to a register: this constant, …
  i8 adds_immediate = 0;  // … or its immediate, so many times
};

// By the number of the row. A row is native if the host's instruction is all of it: its operands
// are general or vector registers, memory and immediates, it needs no privilege, and no two
// processors disagree about its result.
class Treatments {
 public:
  Treatments();
  const Recipe& recipe(const Insn& insn) const {
    return insn.row == kNoRowNumber ? none_ : by_row_[insn.row];
  }
  Treatment of(const Insn& insn) const { return recipe(insn).treatment; }

 private:
  static constexpr u16 kNoRowNumber = 0xffff;
  std::vector<Recipe> by_row_;
  Recipe none_;
};

// All of a recipe but the treatment.
Recipe recipe_of(const Row& row);

// Has the host what the row's instruction needs?
bool host_has_features_of(const Row& row);
// … and what translated code is made of: RORX, and the vector registers of AVX2.
bool host_can_translate();

}  // namespace kite::tcg
