// Lockstep: every block is run twice, by handlers and by the translator, and the first difference
// ends the run (`--trace lockstep`).
//
// The handlers go first. What they store is noted (StoreLog) and undone, the registers are put
// back, and the translated block runs alone: it is not linked to others. Then registers, flags,
// memory and faults must be the same, but for the flags that instructions leave undefined.
//
// What cannot happen twice is not compared: a block that reaches a device, and the instructions
// that change what is no register, tell the time or are given at random. Those are blocks of their
// own, so that nothing else goes without. Something else than the processor may store to memory
// between the two: what is different is run a third time, by handlers, which must agree with
// themselves.
//
// Blocks are cut after a number of instructions that is chosen at random, and are forgotten now and
// then, so that each instruction is once the first of a block and once the last.
//
// One processor at a time: another one would see stores come and go.
#pragma once

#include <optional>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/lockstep_report.h"
#include "accel/tcg/store_log.h"

namespace kite::tcg {

class Lockstep {
 public:
  // The processor's code cache has a BlockRunner.
  explicit Lockstep(Cpu& cpu);
  ~Lockstep();  // tells the trace how much was compared
  Lockstep(const Lockstep&) = delete;

  // Runs the block at Cpu::rip. After a difference, what the handlers did holds.
  BlockRunner::Ran run(Block& block);
  // Of a difference that was found. It has been logged.
  const std::optional<Error>& failure() const { return failure_; }

  StoreLog& log() { return log_; }

  // For the code cache: how many instructions the next block may have; is this one a block of its
  // own?
  unsigned next_length();
  bool stands_alone(const Insn& insn) const { return insn.row != kNoRow && only_once_[insn.row]; }

 private:
  using Ran = BlockRunner::Ran;

  bool needs_fpu(const Block& block) const;
  Ran run_twice(Block& block);
  Ran by_handlers(const Insn* insn);
  std::optional<Ran> by_translator(Block& block, const Ran& first);
  bool same(const Block& block, const Ran& first, const Ran& second);
  bool same_registers(u32 undefined_flags) const;
  // Both of these leave the state that the handlers made.
  Ran take_handlers(const Ran& first);
  Ran explain(const Block& block, const Ran& first, const Ran& second);
  void report(const Block& block, const Ran& first, const Ran& second, const std::string& memory);

  Cpu& cpu_;
  StoreLog log_;
  std::vector<bool> only_once_, is_integer_;  // by row
  bool with_fpu_ = false;  // the running block may change Cpu::fpu, or it is looked at anyway
  LockstepRegisters before_, after_, translated_;
  u64 random_ = 0x2545'f491'4f6c'dd1d;
  std::optional<Error> failure_;
  struct {
    u64 blocks, compared, alone, devices, declined, undefined, raced;
  } count_ = {};
};

}  // namespace kite::tcg
