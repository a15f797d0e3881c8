// MemoryUse: what an instruction does in memory and to general registers, as far as others of its
// block need to know to share its check.
#pragma once

#include "accel/tcg/translator/guest_code.h"
#include "accel/tcg/translator/treatment.h"

namespace kite::tcg {

// The part of an address that several accesses have in common: numbers as in Insn.
struct AddressKey {
  u8 base, index, scale;
  bool operator==(const AddressKey&) const = default;
  bool is_constant() const { return base >= kNoRegister && index == kNoRegister; }
  u32 registers() const { return (1u << base | 1u << index) & 0xffff; }
};

// Sums of displacements smaller than this fit into one.
constexpr bool is_moderate(i32 displacement) {
  return displacement > -(1 << 30) && displacement < 1 << 30;
}

// There is one for each instruction: small, and none has to be made before it is known.
struct MemoryUse {
  i32 disp;
  AddressKey key;
  bool shares;  // reaches memory at key + disp; else what these say is unknown
  u8 bytes;     // at most
  bool write;
  bool aligned;  // or it faults: it lies on one page
  u8 moved;      // a register to which a constant is added, or kNoRegister
  i32 move;
  u16 written;  // general registers, a bit for each

  static constexpr u16 kEverything = 0xffff;  // and perhaps more
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
  use.disp = 0;
  use.key = {kNoRegister, kNoRegister, 0};
  use.shares = false;
  use.bytes = static_cast<u8>(bytes);
  use.write = write;
  use.aligned = false;
  use.moved = kNoRegister;
  use.move = 0;
  use.written = MemoryUse::kEverything;
  return use;
}

// Of the instruction's memory operand, at most. `guest_bytes`: those of the instruction.
unsigned memory_bytes(const Insn& insn, const Recipe& recipe, const u8* guest_bytes, bool code64);

void find_memory_use(const Insn& insn, const Recipe& recipe, const u8* guest_bytes, bool code64,
                     MemoryUse& use);

}  // namespace kite::tcg
