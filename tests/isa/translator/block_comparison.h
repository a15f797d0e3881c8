// BlockComparison: batch after batch of random programs by their handlers and by the translator.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/isa/translator/block_engine.h"

namespace kite::oracle {

// What makes the programs of a batch.
class ProgramMaker {
 public:
  virtual ~ProgramMaker() = default;
  virtual void begin(Pool& pool, Random& random) = 0;
  virtual Program make(u64 slot, Random& random) = 0;
  // May its outcome be compared, which has changed code so?
  virtual bool is_fair(const Program& program, const std::vector<CodeChange>& changes) const = 0;
};

class BlockComparison {
 public:
  BlockComparison(ProgramMaker& maker, bool code64, u64 seed)
      : maker_(maker),
        code64_(code64),
        seed_(seed),
        ours_(code64, false),
        theirs_(code64, true),
        pool_(std::make_unique<Pool>()) {}

  const std::string& unavailable() const { return theirs_.unavailable(); }
  // The programs of a batch follow from the seed and its number alone.
  void run_batch(u64 number);

  u64 run() const { return run_; }
  u64 differing() const { return differing_; }
  u64 blocks() const { return theirs_.blocks(); }
  u64 declined() const { return theirs_.declined(); }
  u64 faults() const { return faults_; }
  // One paragraph for each kind of difference: how often, the first with everything to repeat it.
  std::string report() const;

 private:
  struct Finding {
    u64 count = 0;
    std::string first;
  };
  void compare(u64 batch, const Program& program);
  std::string difference_of(const Program& program, const BlockOutcome& ours,
                            const BlockOutcome& theirs) const;
  std::string listing(const Program& program) const;

  ProgramMaker& maker_;
  const bool code64_;
  const u64 seed_;
  BlockEngine ours_, theirs_;
  std::unique_ptr<Pool> pool_;
  std::vector<Program> programs_;
  BlockOutcome first_, second_;
  std::map<std::string, Finding> findings_;
  u64 run_ = 0, differing_ = 0, faults_ = 0;
};

}  // namespace kite::oracle
