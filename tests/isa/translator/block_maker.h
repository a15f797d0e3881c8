// BlockMaker: random blocks of several instructions, whose accesses mostly reach memory.
//
// Each instruction is executed as soon as it is chosen, so that the next one's operands can be
// chosen by what registers hold then: addresses near the last access, near the ends of pages, on
// pages that are read-only, missing, a device's, or hold the block itself. A fault is taken along
// now and then, and the block goes on behind it as if it had not happened.
#pragma once

#include <optional>

#include "tests/isa/translator/block_comparison.h"

namespace kite::oracle {

class BlockMaker final : public ProgramMaker {
 public:
  explicit BlockMaker(bool code64);

  // Puts addresses among what the data pages hold, for loads of pointers and POP.
  void begin(Pool& pool, Random& random) override;
  Program make(u64 slot, Random& random) override;
  bool is_fair(const Program& program, const std::vector<CodeChange>& changes) const override;

 private:
  struct Candidate {
    Encoded bytes;
    Origin origin;
    const tcg::Insn& insn() const { return origin.insn; }
  };

  bool append();
  void append_end();
  void append_bytes(std::initializer_list<u8> bytes);
  void append_relative(std::initializer_list<u8> opcode);
  void append_if_it_leaves(std::initializer_list<u8> bytes);
  // Nothing: another one is to be tried.
  std::optional<Candidate> candidate();
  u8 any_register();
  unsigned any_base();
  Encoded any_row();
  Encoded push_or_pop();
  Encoded change_pointer();
  u64 pointer();
  bool decode(Candidate& candidate) const;
  bool aim(Candidate& candidate);
  u64 target_of(const tcg::Insn& insn);
  bool reaches_memory(u64 linear) const;
  bool implied_operands_fit(const Candidate& candidate);
  bool flags_fit(const Candidate& candidate);

  const bool code64_;
  BlockEngine guide_;
  std::vector<const tcg::Row*> rows_, hot_rows_;
  Random* random_ = nullptr;
  Program program_;
  unsigned faults_left_ = 0;
  u8 base_ = 0;            // of most accesses, where there is one that is
  unsigned in_a_row_ = 0;  // PUSH or POP to come
  bool pushes_ = false;
  u64 last_access_ = 0;
  u64 undefined_ = 0;  // flags, behind what there is
};

}  // namespace kite::oracle
