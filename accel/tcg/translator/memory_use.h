// MemoryUse: what an instruction does in memory and to general registers, as far as others of its
// block need to know to share its check.
#pragma once

#include "accel/tcg/translator/guest_code.h"
#include "accel/tcg/translator/treatment.h"

namespace kite::tcg {

bool is_memory_operand(const OperandSpec& operand);
bool writes(const OperandSpec& operand);
// Of the instruction's memory operand, at most.
unsigned memory_bytes(const Insn& insn, const Row& row, const GuestCode& guest);
bool writes_memory(const Row& row);
// Must memory be aligned to its size?
bool is_aligned(const Row& row);

// The part of an address that several accesses have in common: numbers as in Insn.
struct AddressKey {
  u8 base = kNoRegister;
  u8 index = kNoRegister;
  u8 scale = 0;
  bool operator==(const AddressKey&) const = default;
  bool is_constant() const { return base >= kNoRegister && index == kNoRegister; }
  u32 registers() const { return (1u << base | 1u << index) & 0xffff; }
};

// Sums of displacements smaller than this fit into one.
constexpr bool is_moderate(i32 displacement) {
  return displacement > -(1 << 30) && displacement < 1 << 30;
}

struct MemoryUse {
  bool shares = false;  // reaches memory at key + disp; else what follows is unknown
  AddressKey key;
  i32 disp = 0;
  unsigned bytes = 0;
  bool write = false;
  bool aligned = false;       // or it faults: it lies on one page
  u32 written = kEverything;  // general registers, a bit for each
  u8 moved = kNoRegister;     // a register to which a constant is added
  i32 move = 0;

  static constexpr u32 kEverything = 0xffff;  // and perhaps more
  // Is the key's address another one behind the instruction, and not known?
  bool changes(const AddressKey& other) const {
    return written == kEverything || written & other.registers() ||
           (moves(other) && other.index != kNoRegister);
  }
  bool moves(const AddressKey& other) const {
    return moved != kNoRegister && other.registers() >> moved & 1;
  }
};

// That shares nothing.
inline MemoryUse alone(unsigned bytes, bool write) {
  MemoryUse use;
  use.bytes = bytes;
  use.write = write;
  return use;
}

// `guest_bytes`: those of the instruction. Row: null if it has none.
MemoryUse memory_use_of(const Insn& insn, const Row* row, Treatment treatment,
                        const u8* guest_bytes, bool code64);

}  // namespace kite::tcg
