// Draft: a case while it is being made. The families of instructions write into it.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>

#include "accel/x86/cpu_model.h"
#include "tests/isa/oracle/random.h"
#include "tests/isa/ring0/case.h"

namespace kite::ring0 {

using oracle::Random;

class Draft {
 public:
  Draft(Case& test, Random& numbers, const CpuModel& cpu) : c(test), random(numbers), model(cpu) {}

  Case& c;
  Random& random;
  const CpuModel& model;

  bool is_long() const { return c.mode == Mode::kLong; }  // 64-bit mode
  bool is_16bit() const { return c.mode <= Mode::kProtected16; }
  template <class T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[random.below(values.size())];
  }
  u8 low(unsigned bits) { return static_cast<u8>(random() & ((1u << bits) - 1)); }

  // The code, byte by byte.
  void bytes(std::initializer_list<u8> list) { c.code.insert(c.code.end(), list); }
  void immediate(u64 value, unsigned size);
  // Sometimes an operand-size prefix or REX.W, first of all. Tells the operand size, 2, 4 or 8.
  unsigned size_prefix(bool wide_allowed = true);
  // ModRM of a register, which is not RSP; its number.
  Gpr register_operand(u8 reg);
  // ModRM of memory at `address`, through RBX or BX.
  void memory_operand(u8 reg, u64 address);
  // One or the other, whose value is `value` of `size` bytes.
  void operand(u8 reg, u64 value, unsigned size);

  // Numbers that are likely to matter.
  u64 value();
  u64 data_address();
  u16 any_selector();
  u16 code_selector();
  u64 code_offset(u16 selector);
  u64 canonical_or_not();
  void store_at(u64 address, u64 value, unsigned size);  // if there is memory
  // Pushes so that the first comes to lie at the top, each `size` bytes.
  void frame(std::initializer_list<u64> values, unsigned size);

  // Everything around the instruction: registers, flags, control bits, descriptors, page tables.
  void surroundings();

 private:
  void registers();
  void flags();
  void control_bits();
  void msrs();
  void random_descriptor(u32 table);
  void segments();
  void page_tables();
  void tables();
  void stack();
};

}  // namespace kite::ring0
