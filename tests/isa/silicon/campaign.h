// Campaign: batch after batch of random cases on the silicon and in the interpreter.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/isa/oracle/compare.h"
#include "tests/isa/oracle/interpreter.h"
#include "tests/isa/silicon/native.h"

namespace kite::oracle {

class Campaign {
 public:
  explicit Campaign(u64 seed);
  Result<> start() { return native_.start(); }

  // The cases of a batch follow from the seed and its number alone.
  Result<> run_batch(u64 number);

  u64 cases_run() const { return run_; }
  u64 differing() const { return differing_; }
  // Cases whose access met memory that the host's process has and the guest has not.
  u64 not_judged() const { return not_judged_; }
  // One paragraph for each kind of difference: how often, the first with everything to repeat it.
  std::string report() const;

  // Rows that are compared; whatever has been added to the table is among them.
  static std::vector<const tcg::Row*> compared_rows();
  // How many rows are left out for which reason.
  static std::map<std::string_view, std::vector<std::string_view>> left_out();

 private:
  struct Finding {
    u64 count = 0;
    std::string first;
  };
  u32 generate(u64 number);
  void compare(u64 number, u32 index);

  const u64 seed_;
  Interpreter interpreter_;
  NativeRunner native_;
  std::vector<const tcg::Row*> rows_;
  std::vector<Origin> origins_;
  Outcome ours_;
  std::map<std::string, Finding> findings_;
  u64 run_ = 0, differing_ = 0, not_judged_ = 0;
};

}  // namespace kite::oracle
