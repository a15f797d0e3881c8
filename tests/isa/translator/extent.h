// How much the comparisons of this program run: KITE_ISA_CASES says how many, KITE_ISA_SEED which;
// KITE_ISA_BATCH runs one batch again; KITE_ISA_SECONDS ends the run early.
#pragma once

#include <chrono>
#include <cstdlib>

#include "base/types.h"

namespace kite::oracle {

inline u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

class Extent {
 public:
  // `cases`: unless the environment says otherwise.
  explicit Extent(u64 cases) : cases_(from_environment("KITE_ISA_CASES", cases)) {}

  u64 seed() const { return from_environment("KITE_ISA_SEED", 1); }
  // Calls `run` with the number of one batch after the other. Answers seconds.
  template <class Run>
  double each_batch(u64 cases_per_batch, Run run) const {
    using Time = std::chrono::steady_clock;
    const auto start = Time::now();
    const auto deadline =
        start + std::chrono::seconds(from_environment("KITE_ISA_SECONDS", 1'000'000));
    const u64 only = from_environment("KITE_ISA_BATCH", ~u64{0});
    const u64 first = only == ~u64{0} ? 0 : only;
    const u64 end = only == ~u64{0} ? (cases_ + cases_per_batch - 1) / cases_per_batch : only + 1;
    for (u64 batch = first; batch < end && Time::now() < deadline; ++batch) run(batch);
    return std::chrono::duration<double>(Time::now() - start).count();
  }

 private:
  u64 cases_;
};

}  // namespace kite::oracle
