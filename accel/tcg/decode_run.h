// DecodeRun: the decoding of one instruction. decode_bytes.cpp reads its bytes, decode.cpp finds
// its row and handler.
#pragma once

#include "accel/tcg/decode.h"
#include "accel/tcg/isa/row.h"

namespace kite::tcg {

// Where it is in the bytes, and what it has seen.
class DecodeRun {
 public:
  DecodeRun(const Decoder& decoder, std::span<const u8> bytes, Mode mode, Insn& insn)
      : decoder_(decoder), bytes_(bytes), mode_(mode), insn_(insn) {}

  DecodeStatus run();

 private:
  bool code64() const { return mode_.code_width == 3; }
  bool next(u8& byte) {
    if (at_ >= bytes_.size()) return false;
    byte = bytes_[at_++];
    return true;
  }
  // The next `size` bytes, zero-extended.
  bool number(unsigned size, u64& value) {
    if (bytes_.size() - at_ < size) return false;
    value = 0;
    std::memcpy(&value, bytes_.data() + at_, size);
    at_ += size;
    return true;
  }

  bool prefixes();
  bool opcode();
  bool vex(u8 first);
  bool modrm();
  bool sib(u8 mod);
  bool address16(u8 mod, u8 rm);
  bool displacement(unsigned size);
  bool immediates(const Row& row);
  void gather_index();
  bool immediate(Encoding::Immediate kind, unsigned n);
  bool matches(const Row& row) const;
  const Row* find();
  void widths(const Row* row);
  void registers(const Row& row);
  u8 byte_register(u8 number) const;
  bool vex_is_legal(const Row& row) const;
  Handler choose(const Row& row) const;
  bool is_far_relative() const;
  DecodeStatus finish(Handler handler);

  const Decoder& decoder_;
  std::span<const u8> bytes_;
  Mode mode_;
  Insn& insn_;
  std::size_t at_ = 0;
  u8 rex_ = 0;
  bool has_rex_ = false, has_vex_ = false;
  bool operand_prefix_ = false, address_prefix_ = false, lock_ = false;
  u8 rep_ = 0;
  int segment_override_ = -1;
  u8 map_ = 0, opcode_ = 0, vex_l_ = 0;
  bool has_sib_ = false;
  u8 sib_index_ = 0;
  u8 modrm_ = 0;
  u8 operand_width_ = 2;
};

}  // namespace kite::tcg
