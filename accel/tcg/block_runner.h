// BlockRunner: what can run blocks faster than by one handler after the other: the translator,
// where the host has one.
#pragma once

#include <memory>
#include <optional>

#include "accel/tcg/code_memory.h"
#include "accel/tcg/fast_tables.h"
#include "accel/tcg/insn.h"
#include "accel/translator_figures.h"
#include "base/result.h"

namespace kite::tcg {

struct Block;
struct Cpu;

class BlockRunner {
 public:
  virtual ~BlockRunner() = default;

  // How a run of blocks ended: `last` of them said `flow`.
  struct Ran {
    const Insn* last;
    Flow flow;
    bool look_around;  // it has been long enough since the clock was looked at
  };
  // Runs `block` from its start, and others behind it. Nothing: it has not, and will not be faster.
  virtual std::optional<Ran> run(Block& block) = 0;

  // The same for `block` and none behind it, whatever wants attention. `expected`: the RIP it goes
  // on at, as far as known.
  virtual std::optional<Ran> run_alone(Block& block, u64 expected) = 0;

  // What the code cache forgets (CodeCache): a block; cached jumps into a linear page; everything.
  virtual void retired(Block& block) = 0;
  virtual void forget_page(u64 linear) = 0;
  virtual void flush() = 0;

  // Adds what this one has done.
  virtual void add_to(TranslatorFigures& figures) const = 0;
};

// Has this build a translator, and can this host's processor run what it makes? An error says why
// not.
Result<> check_translator();
// The same, and what must be done before the first runner and before a sandbox closes.
Result<> prepare_block_runners();

using MakeBlockRunner = Result<std::unique_ptr<BlockRunner>>(Cpu& cpu, CodeMemory memory,
                                                             TableKind tables);
// The host's translator, with memory for what it makes.
MakeBlockRunner make_block_runner;

}  // namespace kite::tcg
