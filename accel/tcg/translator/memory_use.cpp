#include "accel/tcg/translator/memory_use.h"

#include <string_view>

#include "accel/x86/registers.h"

namespace kite::tcg {

bool is_memory_operand(const OperandSpec& operand) {
  return operand.place == Place::kModRm || operand.place == Place::kModRmMemory;
}

bool writes(const OperandSpec& operand) {
  return static_cast<u8>(operand.use) & static_cast<u8>(Use::kWrite);
}

unsigned memory_bytes(const Insn& insn, const Row& row, const GuestCode& guest) {
  for (unsigned i = 0; i < row.operand_count; ++i) {
    const OperandSpec& operand = row.operands[i];
    if (!is_memory_operand(operand)) continue;
    if (operand.bytes) return operand.bytes;
    if (operand.vector) return guest.vex_last & 4 ? 32 : 16;  // as long as VEX.L says
    const char letter = operand.name[1];
    if (letter == 'v') return 1u << insn.width;
    if (letter == 'y') return insn.width == 3 ? 8 : 4;
    return insn.width == 1 ? 2 : 4;  // of MOVSXD
  }
  return 0;
}

bool writes_memory(const Row& row) {
  for (unsigned i = 0; i < row.operand_count; ++i)
    if (is_memory_operand(row.operands[i]) && writes(row.operands[i])) return true;
  return false;
}

bool is_aligned(const Row& row) {
  for (unsigned i = 0; i < row.operand_count; ++i) {
    const std::string_view name = row.operands[i].name;
    if (is_memory_operand(row.operands[i]))
      return name == "Wax" || name == "Max" || (!row.is_avx && (name == "Wdq" || name == "Mdq"));
  }
  return false;
}

namespace {

bool is_as_it_is(Treatment treatment) {
  return treatment == Treatment::kNative || treatment == Treatment::kX87 ||
         treatment == Treatment::kX87Control;
}

u32 bit_of(unsigned byte_offset) {
  return 1u << byte_offset / 8;
}

// General registers that a native instruction writes.
u32 written_by(const Insn& insn, const Row& row) {
  if (row.operand_count == 0) return 1u << kRax | 1u << kRdx;  // LAHF, CBW, CWD at most
  u32 written = 0;
  for (unsigned i = 0; i < row.operand_count; ++i) {
    const OperandSpec& operand = row.operands[i];
    if (operand.vector || !writes(operand)) continue;
    if (operand.place == Place::kFixed)
      written |= bit_of(operand.fixed_register);
    else if (operand.place == Place::kModReg || operand.place == Place::kOpcode)
      written |= bit_of(insn.reg);
    else if (operand.place == Place::kVvvv)
      written |= bit_of(insn.vreg);
    else if (!insn.is_memory)
      written |= bit_of(insn.rm);
  }
  return written;
}

// ADD, SUB, INC and DEC of a register, and LEA, by a constant: what is added. 0: none of these.
i32 constant_added(const Insn& insn, const Row& row, bool code64) {
  if (insn.is_memory || insn.width != (code64 ? 3 : 2)) return 0;
  const Encoding& e = row.encoding;
  if (e.map != 0) return 0;
  const bool increments = e.opcode == 0xff || e.opcode == 0x40 || e.opcode == 0x48;
  if (increments) return e.opcode == 0x48 || (e.opcode == 0xff && e.modrm_reg == 1) ? -1 : 1;
  if ((e.opcode != 0x81 && e.opcode != 0x83) || !is_moderate(insn.imm)) return 0;
  return e.modrm_reg == 0 ? insn.imm : e.modrm_reg == 5 ? -insn.imm : 0;
}

void move(MemoryUse& use, unsigned gpr, i32 by) {
  use.written &= ~(1u << gpr);
  use.moved = static_cast<u8>(gpr);
  use.move = by;
}

// What becomes of the general registers.
void note_registers(MemoryUse& use, const Insn& insn, const Row& row, Treatment treatment,
                    bool code64) {
  const i32 stack_bytes = code64 ? 8 : 4;
  const bool usual = insn.width == (code64 ? 3 : 2);
  switch (treatment) {
    case Treatment::kNothing:
    case Treatment::kClearInterrupts:
      use.written = 0;
      break;
    case Treatment::kNative:
    case Treatment::kX87:
    case Treatment::kX87Control:
      use.written = written_by(insn, row);
      if (const i32 added = constant_added(insn, row, code64))
        move(use, (row.encoding.register_in_opcode ? insn.reg : insn.rm) / 8u, added);
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

MemoryUse memory_use_of(const Insn& insn, const Row* row, Treatment treatment,
                        const u8* guest_bytes, bool code64) {
  MemoryUse use;
  if (!row) return use;
  note_registers(use, insn, *row, treatment, code64);
  note_stack(use, insn, treatment, code64);
  const bool usual = code64 ? insn.address_kind == AddressKind::kSimple : insn.address_width == 2;
  const bool based = insn.segment == kFs || insn.segment == kGs;
  if (!insn.is_memory || treatment == Treatment::kLea || treatment == Treatment::kNothing ||
      treatment == Treatment::kInterpret || !usual || based)
    return use;
  use.bytes = code64 ? 8 : 4;  // of PUSH and of branches
  if (is_as_it_is(treatment)) {
    use.bytes = memory_bytes(insn, *row, take_apart(guest_bytes, insn, *row, code64));
    use.write = writes_memory(*row);
    use.aligned = is_aligned(*row);
  }
  use.shares = use.bytes > 0 && is_moderate(insn.disp);
  use.key = {insn.base, insn.index, insn.scale};
  if (insn.index == kNoRegister) use.key.scale = 0;
  use.disp = insn.disp;
  return use;
}

}  // namespace kite::tcg
