// BlockEngine: blocks of several instructions in ring 3 of Kite's processor, by their handlers or
// by the translator.
#pragma once

#include <vector>

#include "accel/tcg/block_runner.h"
#include "tests/isa/oracle/interpreter.h"

namespace kite::oracle {

// The code area may be written to as well. A short program has a slot of it; some lie across two
// pages. Where no code is stands INT3.
inline constexpr u64 kProgramSize = 256;
inline constexpr u64 kPrograms = kCodeSize / kProgramSize - 1;  // of a batch
// A page of a device's registers.
inline constexpr u64 kDeviceBase = 0x20106000;

struct Program {
  Case start;            // its code apart
  std::vector<u8> code;  // at `code_at`; empty if another of the batch has it
  u64 code_at = 0;
  // It has ended where RIP is elsewhere.
  u64 first = 0, size = kProgramSize;
  // The flags that are left undefined: ahead of each instruction, by its offset, and behind the
  // last. None: all are defined.
  std::vector<std::pair<unsigned, u64>> undefined;
};

struct CodeChange {
  u16 offset;  // in the code area
  u8 byte;
  bool operator==(const CodeChange&) const = default;
};

struct BlockOutcome {
  Outcome outcome;
  u64 device = 0;  // a hash of what it was asked and told
  std::array<Segment, 6> segments;
  std::vector<CodeChange> code;  // bytes of the code area that are not as they were
};

class BlockEngine : public Interpreter {
 public:
  // Not `translated`: by handlers.
  BlockEngine(bool code64, bool translated);

  // Why there is no translator; empty if there is one, or none was wanted.
  const std::string& unavailable() const { return unavailable_; }

  void begin(const Pool& pool, std::span<const Program> programs);
  // Until it leaves its slot or faults, and everything is as it was before. `cold`: no page is
  // known. Answers false if it has not ended after many blocks.
  bool run(const Program& program, bool cold, BlockOutcome& outcome);
  // Blocks that ran by handlers although there is a translator.
  u64 declined() const { return declined_; }
  u64 blocks() const { return blocks_; }

  // One instruction at a time, for BlockMaker: from `start` on, `insn` of a block there.
  void begin_steps(const Case& start);
  tcg::Flow step(const tcg::Insn& insn);
  void end_steps(const Case& start);
  u64 gpr(unsigned number) { return cpu().gpr[number]; }
  u64 rip() { return cpu().rip; }

 private:
  class Device final : public IoHandler {
   public:
    void begin() { hash_ = 0; }
    u64 hash() const { return hash_; }
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

   private:
    u64 hash_ = 0;
  };

  tcg::BlockRunner::Ran run_block();
  void take_segments(std::array<Segment, 6>& segments);
  void take_code(std::vector<CodeChange>& changes);

  Device device_;
  std::string unavailable_;
  std::vector<u8> code_;             // the area as it was laid out
  std::array<Segment, 6> segments_;  // as they are set up
  u64 declined_ = 0, blocks_ = 0;
};

}  // namespace kite::oracle
