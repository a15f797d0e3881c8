// Enumeration: batch after batch of random cases by their handlers and by the translator.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/isa/oracle/compare.h"
#include "tests/isa/oracle/translated.h"

namespace kite::oracle {

class Enumeration {
 public:
  Enumeration(bool code64, u64 seed);

  const std::string& unavailable() const { return translated_.unavailable(); }
  // The cases of a batch follow from the seed and its number alone.
  void run_batch(u64 number);

  u64 cases_run() const { return run_; }
  u64 differing() const { return differing_; }
  u64 declined() const { return translated_.declined(); }
  std::size_t row_count() const { return rows_.size(); }
  // One paragraph for each kind of difference: how often, the first with everything to repeat it.
  std::string report() const;

 private:
  struct Finding {
    u64 count = 0;
    std::string first;
  };
  void generate(u64 number);
  void compare(u64 number, u32 index, bool cold);

  const bool code64_;
  const u64 seed_;
  Interpreter interpreter_;
  Translated translated_;
  std::vector<const tcg::Row*> rows_;
  std::unique_ptr<Pool> pool_;
  std::vector<Case> cases_;
  std::vector<Origin> origins_;
  Outcome ours_, theirs_;
  std::map<std::string, Finding> findings_;
  u64 run_ = 0, differing_ = 0;
};

}  // namespace kite::oracle
