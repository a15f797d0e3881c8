// Blocks of memory that an instruction loads or stores as a whole: state images.
#pragma once

#include <span>

#include "accel/tcg/cpu.h"

namespace kite::tcg {

inline bool store_bytes_at(Cpu& cpu, u64 linear, std::span<const u8> bytes) {
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8)
    if (!cpu.store_at<u64>(linear + i, load<u64>(bytes.data() + i))) return false;
  for (; i < bytes.size(); ++i)
    if (!cpu.store_at<u8>(linear + i, bytes[i])) return false;
  return true;
}

// `stack`: through the stack segment, whose faults are #SS.
inline bool load_bytes_at(Cpu& cpu, u64 linear, std::span<u8> bytes, bool stack = false) {
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    u64 value;
    if (!cpu.load_at<u64>(linear + i, value, stack)) return false;
    store<u64>(bytes.data() + i, value);
  }
  for (; i < bytes.size(); ++i)
    if (!cpu.load_at<u8>(linear + i, bytes[i], stack)) return false;
  return true;
}

// The instruction's memory operand, all of it or a fault with nothing changed.
template <class T>
bool store_block(Cpu& cpu, const Insn& insn, const T& block) {
  u64 linear;
  if (!cpu.linear_address(insn, sizeof block, Access::kWrite, linear)) return false;
  if (!cpu.probe_write(linear, sizeof block, Cpu::is_stack(insn.segment))) return false;
  const auto bytes = std::bit_cast<std::array<u8, sizeof(T)>>(block);
  return store_bytes_at(cpu, linear, bytes);
}

template <class T>
bool load_block(Cpu& cpu, const Insn& insn, T& block) {
  u64 linear;
  if (!cpu.linear_address(insn, sizeof block, Access::kRead, linear)) return false;
  std::array<u8, sizeof(T)> bytes;
  if (!load_bytes_at(cpu, linear, bytes, Cpu::is_stack(insn.segment))) return false;
  block = std::bit_cast<T>(bytes);
  return true;
}

}  // namespace kite::tcg
