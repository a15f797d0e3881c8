// Capstone, as the tests ask it.
#pragma once

#include <capstone/capstone.h>

#include <span>
#include <string>

#include "base/types.h"

namespace kite::isa {

class Disassembler {
 public:
  explicit Disassembler(unsigned code_width);
  ~Disassembler();
  Disassembler(const Disassembler&) = delete;

  // The first instruction of `bytes` at `address`, or null if Capstone finds none. Good until the
  // next call.
  const cs_insn* decode(std::span<const u8> bytes, u64 address);

  const char* register_name(unsigned id) const { return cs_reg_name(handle_, id); }

 private:
  csh handle_ = 0;
  cs_insn* insn_ = nullptr;
};

// Without "lock", "rep", "repne" and their like.
std::string bare_mnemonic(const cs_insn& insn);

}  // namespace kite::isa
