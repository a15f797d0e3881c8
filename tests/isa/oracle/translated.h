// Translated: one instruction of a case as the translator runs it, for comparison with its handler.
#pragma once

#include "accel/tcg/block_runner.h"
#include "tests/isa/oracle/interpreter.h"

namespace kite::oracle {

// From now on the processor runs translated code. What it reaches is in its `processors.flat`.
Result<> translate(tcg::Cpu& cpu);

// The processor of an Interpreter, with a translator. The instruction and what stands behind it in
// its slot are a block, which is translated and run; the way back leads out of it.
class Translated : public Interpreter {
 public:
  explicit Translated(bool code64 = true);

  // Why there is no translator; empty if there is one.
  const std::string& unavailable() const { return unavailable_; }
  // Forgets code, too.
  void begin(const Pool& pool, std::span<const Case> cases);
  // `cold`: no page is known, so every access to memory takes the slow way.
  void run(const Case& test, bool cold, Outcome& outcome);

  // Cases that were not translated, but for what never is.
  u64 declined() const { return declined_; }

 private:
  tcg::BlockRunner::Ran run_block();

  std::string unavailable_;
  u64 declined_ = 0;
};

}  // namespace kite::oracle
