// The decoder: bytes and a mode make an Insn, by the table of rows.
#pragma once

#include <span>

#include "accel/tcg/cpu.h"
#include "accel/tcg/insn.h"
#include "accel/x86/cpu_model.h"

namespace kite::tcg {

struct Row;

inline constexpr unsigned kMaxInsnLength = 15;  // SDM 2A 2.3.11

enum class DecodeStatus {
  kOk,        // `insn` is ready; what the mode forbids has a handler that raises
  kNeedMore,  // the bytes end inside the instruction
};

// The rows that a CPU model offers, arranged for lookup. Immutable after construction.
class Decoder {
 public:
  explicit Decoder(const CpuModel& model);

  // Fills everything but `ordinal` and `is_last`; `next_offset` is the length, and a RIP-relative
  // displacement counts from there. An undefined instruction becomes one whose handler raises #UD;
  // more than 15 bytes raise #GP.
  DecodeStatus decode(std::span<const u8> bytes, Mode mode, Insn& insn) const;

  // The row of a decoded instruction; null for what has none.
  static const Row* row_of(const Insn& insn);
  // Is its handler the row's own? Others raise what the mode forbids.
  static bool has_rows_handler(const Insn& insn);

 private:
  friend class DecodeRun;
  std::array<std::array<std::vector<u16>, 256>, 4>
      maps_;  // rows by opcode map and opcode, most specific first
  std::array<std::array<bool, 256>, 4> has_modrm_;
  std::array<std::array<bool, 256>, 4> register_form_;  // ModRM.mod is ignored
  bool has_avx2_;
};

inline constexpr u16 kNoRow = 0xffff;

}  // namespace kite::tcg
