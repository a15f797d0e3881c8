#include "accel/tcg/translator/memory_use.h"

#include "accel/x86/registers.h"

namespace kite::tcg {

unsigned memory_bytes(const Insn& insn, const Recipe& recipe, const u8* guest_bytes, bool code64) {
  if (!recipe.by_vex) return recipe.memory_bytes[insn.width];
  return take_apart(guest_bytes, insn, recipe.encoding, code64).vex_last & 4 ? 32 : 16;
}

namespace {

bool is_as_it_is(Treatment treatment) {
  return treatment == Treatment::kNative || treatment == Treatment::kX87 ||
         treatment == Treatment::kX87Control;
}

u16 bit_of(unsigned byte_offset) {
  return static_cast<u16>(1u << byte_offset / 8);
}

unsigned register_of(const GeneralOperand& operand, const Insn& insn, const Encoding& e) {
  if (operand.field == GeneralOperand::Field::kVvvv) return insn.vreg;
  const bool is_rm = operand.field == GeneralOperand::Field::kRm && !e.register_in_opcode;
  return is_rm ? insn.rm : insn.reg;
}

// General registers that a native instruction writes.
u16 written_by(const Insn& insn, const Recipe& recipe) {
  u16 written = recipe.fixed_written;
  for (unsigned i = 0; i < recipe.general_count; ++i) {
    const GeneralOperand& operand = recipe.general[i];
    if (operand.is_written && !(operand.may_be_memory && insn.is_memory))
      written |= bit_of(register_of(operand, insn, recipe.encoding));
  }
  return written;
}

// ADD, SUB, INC and DEC of a register, and LEA, by a constant: what is added. 0: none of these.
i32 constant_added(const Insn& insn, const Recipe& recipe, bool code64) {
  if (insn.is_memory || insn.width != (code64 ? 3 : 2)) return 0;
  if (recipe.adds_immediate && is_moderate(insn.imm)) return recipe.adds_immediate * insn.imm;
  return recipe.adds;
}

void move(MemoryUse& use, unsigned gpr, i32 by) {
  use.written &= static_cast<u16>(~(1u << gpr));
  use.moved = static_cast<u8>(gpr);
  use.move = by;
}

// What becomes of the general registers.
void note_registers(MemoryUse& use, const Insn& insn, const Recipe& recipe, bool code64) {
  const i32 stack_bytes = code64 ? 8 : 4;
  const bool usual = insn.width == (code64 ? 3 : 2);
  switch (recipe.treatment) {
    case Treatment::kNothing:
    case Treatment::kClearInterrupts:
    case Treatment::kSwapGs:  // what FS and GS address shares nothing
      use.written = 0;
      break;
    case Treatment::kNative:
    case Treatment::kX87:
    case Treatment::kX87Control:
      use.written = written_by(insn, recipe);
      if (const i32 added = constant_added(insn, recipe, code64))
        move(use, (recipe.encoding.register_in_opcode ? insn.reg : insn.rm) / 8u, added);
      break;
    case Treatment::kLea:
      use.written = bit_of(insn.reg);
      if (usual && insn.base == insn.reg / 8u && insn.index == kNoRegister &&
          insn.address_width == insn.width && is_moderate(insn.disp))
        move(use, insn.base, insn.disp);
      break;
    case Treatment::kPush:
    case Treatment::kPushFlags:
      if (!usual) break;
      use.written = 0;
      move(use, kRsp, -stack_bytes);
      break;
    case Treatment::kPop:
      if (!usual) break;
      use.written = bit_of(insn.reg);
      if (insn.reg / 8u != kRsp) move(use, kRsp, stack_bytes);
      break;
    case Treatment::kLeave:
      if (usual) use.written = 1u << kRsp | 1u << kRbp;
      break;
    default:
      break;
  }
}

// PUSH, CALL, POP, RET and LEAVE without a memory operand.
void note_stack(MemoryUse& use, const Insn& insn, Treatment treatment, bool code64) {
  const bool pushes = treatment == Treatment::kPush || treatment == Treatment::kPushFlags ||
                      treatment == Treatment::kCall || treatment == Treatment::kCallIndirect;
  const bool pops = treatment == Treatment::kPop || treatment == Treatment::kReturn ||
                    treatment == Treatment::kLeave;
  if (insn.is_memory || !(pushes || pops) || insn.width != (code64 ? 3 : 2)) return;
  use.shares = true;
  use.key.base = treatment == Treatment::kLeave ? kRbp : kRsp;
  use.bytes = code64 ? 8 : 4;
  use.disp = pushes ? -static_cast<i32>(use.bytes) : 0;
  use.write = pushes;
}

}  // namespace

void find_memory_use(const Insn& insn, const Recipe& recipe, const u8* guest_bytes, bool code64,
                     MemoryUse& use) {
  const Treatment treatment = recipe.treatment;
  use = alone(0, false);
  if (treatment == Treatment::kInterpret) return;
  note_registers(use, insn, recipe, code64);
  note_stack(use, insn, treatment, code64);
  const bool usual = code64 ? insn.address_kind == AddressKind::kSimple : insn.address_width == 2;
  const bool based = insn.segment == kFs || insn.segment == kGs;
  if (!insn.is_memory || treatment == Treatment::kLea || treatment == Treatment::kNothing ||
      !usual || based)
    return;
  use.bytes = code64 ? 8 : 4;  // of PUSH and of branches
  if (is_as_it_is(treatment)) {
    use.bytes = static_cast<u8>(memory_bytes(insn, recipe, guest_bytes, code64));
    use.write = recipe.writes_memory;
    use.aligned = recipe.is_aligned;
  }
  use.shares = use.bytes > 0 && is_moderate(insn.disp);
  use.key = {insn.base, insn.index, insn.scale};
  if (insn.index == kNoRegister) use.key.scale = 0;
  use.disp = insn.disp;
}

}  // namespace kite::tcg
