// The translator against the handlers it stands for, every row: tens of thousands of cases a
// second. In reports "silicon" is the translator. KITE_ISA_CASES says how many, KITE_ISA_SEED
// which; KITE_ISA_BATCH runs one batch again; KITE_ISA_SECONDS ends the run early.
#include "tests/isa/translator/enumeration.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

namespace kite::oracle {
namespace {

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

class Translator : public testing::TestWithParam<bool> {};

TEST_P(Translator, DoesAsTheHandlersDo) {
  using Time = std::chrono::steady_clock;
  const u64 seed = from_environment("KITE_ISA_SEED", 1);
  const u64 cases = from_environment("KITE_ISA_CASES", 200'000);
  const u64 only = from_environment("KITE_ISA_BATCH", ~u64{0});
  const auto start = Time::now();
  const auto deadline =
      start + std::chrono::seconds(from_environment("KITE_ISA_SECONDS", 1'000'000));
  Enumeration enumeration(GetParam(), seed);
  if (!enumeration.unavailable().empty()) GTEST_SKIP() << enumeration.unavailable();
  const u64 first = only == ~u64{0} ? 0 : only;
  const u64 end = only == ~u64{0} ? (cases + kSlots - 1) / kSlots : only + 1;
  for (u64 batch = first; batch < end && Time::now() < deadline; ++batch)
    enumeration.run_batch(batch);
  const std::chrono::duration<double> seconds = Time::now() - start;
  const std::string summary = fmt::format(
      "seed {}: {} cases of {} rows, {} differ, {} not translated; {:.0f} cases/s\n", seed,
      enumeration.cases_run(), enumeration.row_count(), enumeration.differing(),
      enumeration.declined(), static_cast<double>(enumeration.cases_run()) / seconds.count());
  std::fputs(summary.c_str(), stdout);
  EXPECT_EQ(enumeration.differing(), 0u) << enumeration.report();
  EXPECT_LE(enumeration.declined(), enumeration.cases_run() / 4);
}

INSTANTIATE_TEST_SUITE_P(, Translator, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Code64" : "Code32"; });

}  // namespace
}  // namespace kite::oracle
