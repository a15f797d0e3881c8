// What follows from a row alone.
#include <algorithm>
#include <string_view>

#include "accel/tcg/translator/treatment.h"
#include "accel/x86/registers.h"

namespace kite::tcg {

namespace {

std::span<const OperandSpec> operands(const Row& row) {
  return {row.operands.data(), row.operand_count};
}

bool has_operand(const Row& row, std::string_view name) {
  return std::ranges::any_of(operands(row), [&](const auto& o) { return o.name == name; });
}

bool writes(const OperandSpec& operand) {
  return static_cast<u8>(operand.use) & static_cast<u8>(Use::kWrite);
}

bool may_be_memory(const OperandSpec& operand) {
  return operand.place == Place::kModRm || operand.place == Place::kModRmMemory;
}

// Pq, Qq, Qd, Nq: the x87 unit's.
bool is_mmx_register(const OperandSpec& operand) {
  return std::string_view("PQN").find(operand.name[0]) != std::string_view::npos;
}

bool needs_vectors(const Row& row) {
  if (row.is_avx || row.attributes.has(sse)) return true;
  return std::ranges::any_of(operands(row),
                             [](const auto& o) { return o.vector && !is_mmx_register(o); });
}

// BT and its kin with a register: memory is a string of bits, of which the operand is a part.
bool is_bit_string(const Row& row) {
  const Encoding& e = row.encoding;
  return e.map == 1 && (e.opcode & 0xe7) == 0xa3;
}

// CMPXCHG8B and CMPXCHG16B: EDX:EAX with memory, and ECX:EBX.
bool is_pair(const Row& row) {
  return std::string_view(row.name).starts_with("cmpxchg") && row.operand_count == 1;
}

bool may_raise(const Row& row) {
  const std::string_view name = row.name;
  return row.attributes.has(mxcsr) || name == "div" || name == "idiv";
}

// Registers from 8 on do not exist elsewhere, but in translated code they do.
bool only_code64(const Encoding& e) {
  const bool zeroes_all = e.vex && e.opcode == 0x77;
  return e.is4 || zeroes_all;
}

// Not what is one bit string with memory, nor XCHG, which locks. A store narrower than the register
// leaves the rest as it was, and the host forwards no load of all of it from one.
GeneralOperand::InFrame in_frame(const OperandSpec& operand, const Row& row) {
  using InFrame = GeneralOperand::InFrame;
  if (operand.place != Place::kModRm || is_bit_string(row) || row.attributes.has(always_locked))
    return InFrame::kNever;
  if (!writes(operand)) return InFrame::kAlways;
  const bool only_one = std::ranges::count_if(operands(row), writes) == 1;
  return only_one && operand.bytes == 0 ? InFrame::kIfWide : InFrame::kNever;
}

GeneralOperand general(const OperandSpec& operand, const Row& row) {
  using Field = GeneralOperand::Field;
  GeneralOperand made;
  if (operand.place == Place::kModReg) made.field = Field::kReg;
  if (operand.place == Place::kVvvv) made.field = Field::kVvvv;
  made.may_be_memory = may_be_memory(operand);
  made.is_byte = operand.bytes == 1;
  made.is_written = writes(operand);
  made.in_frame = in_frame(operand, row);
  return made;
}

// By Insn::width.
std::array<u8, 4> memory_bytes(const OperandSpec& operand) {
  const u8 bytes = operand.bytes;
  if (bytes) return {bytes, bytes, bytes, bytes};
  const char letter = operand.name[1];
  if (letter == 'v') return {1, 2, 4, 8};
  if (letter == 'y') return {4, 4, 4, 8};
  return {4, 2, 4, 4};  // of MOVSXD
}

void note_memory(Recipe& recipe, const Row& row) {
  const auto found = std::ranges::find_if(operands(row), may_be_memory);
  if (found == operands(row).end()) return;
  const std::string_view name = found->name;
  recipe.by_vex = found->bytes == 0 && found->vector;
  recipe.memory_bytes = memory_bytes(*found);
  recipe.writes_memory = writes(*found);
  recipe.is_aligned =
      name == "Wax" || name == "Max" || (!row.is_avx && (name == "Wdq" || name == "Mdq"));
  if (!is_pair(row)) return;
  recipe.memory_bytes = {8, 8, 8, 16};
  recipe.is_aligned = std::string_view(row.name) == "cmpxchg16b";
}

u16 fixed_written(const Row& row) {
  // Of LAHF, CBW and CWD at most.
  if (row.operand_count == 0 || is_pair(row)) return 1u << kRax | 1u << kRdx;
  unsigned written = 0;
  for (const OperandSpec& operand : operands(row))
    if (operand.place == Place::kFixed && !operand.vector && writes(operand))
      written |= 1u << operand.fixed_register / 8;
  return static_cast<u16>(written);
}

// ADD, SUB, INC and DEC by a constant.
void note_addition(Recipe& recipe, const Encoding& e) {
  if (e.map != 0) return;
  if (e.opcode == 0x40 || (e.opcode == 0xff && e.modrm_reg != 1)) recipe.adds = 1;
  if (e.opcode == 0x48 || (e.opcode == 0xff && e.modrm_reg == 1)) recipe.adds = -1;
  if (e.opcode != 0x81 && e.opcode != 0x83) return;
  recipe.adds_immediate = e.modrm_reg == 0 ? 1 : e.modrm_reg == 5 ? -1 : 0;
}

}  // namespace

Recipe recipe_of(const Row& row) {
  Recipe recipe;
  recipe.encoding = row.encoding;
  recipe.ends_block = row.attributes.has(ends_block);
  recipe.needs_vectors = needs_vectors(row);
  recipe.needs_x87 = row.attributes.has(mmx);
  recipe.may_raise = may_raise(row);
  recipe.reads_rcx = has_operand(row, "CL") || is_pair(row);
  recipe.only_code64 = only_code64(row.encoding);
  recipe.only_registers = is_bit_string(row);
  recipe.is_short_increment = row.encoding.register_in_opcode && row.attributes.has(not64);
  recipe.waits = row.attributes.has(wait);
  for (const OperandSpec& operand : operands(row))
    if (!operand.vector && operand.place != Place::kFixed && operand.place != Place::kImmediate)
      recipe.general[recipe.general_count++] = general(operand, row);
  note_memory(recipe, row);
  recipe.fixed_written = fixed_written(row);
  note_addition(recipe, row.encoding);
  return recipe;
}

}  // namespace kite::tcg
