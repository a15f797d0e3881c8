// The translator against the handlers it stands for, every row: tens of thousands of cases a
// second. In reports "silicon" is the translator.
#include "tests/isa/translator/enumeration.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/isa/translator/extent.h"

namespace kite::oracle {
namespace {

class Translator : public testing::TestWithParam<bool> {};

TEST_P(Translator, DoesAsTheHandlersDo) {
  const Extent extent(200'000);
  Enumeration enumeration(GetParam(), extent.seed());
  if (!enumeration.unavailable().empty()) GTEST_SKIP() << enumeration.unavailable();
  const double seconds =
      extent.each_batch(kSlots, [&](u64 batch) { enumeration.run_batch(batch); });
  const std::string summary = fmt::format(
      "seed {}: {} cases of {} rows, {} differ, {} not translated; {:.0f} cases/s\n", extent.seed(),
      enumeration.cases_run(), enumeration.row_count(), enumeration.differing(),
      enumeration.declined(), static_cast<double>(enumeration.cases_run()) / seconds);
  std::fputs(summary.c_str(), stdout);
  EXPECT_EQ(enumeration.differing(), 0u) << enumeration.report();
  EXPECT_LE(enumeration.declined(), enumeration.cases_run() / 4);
}

INSTANTIATE_TEST_SUITE_P(, Translator, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Code64" : "Code32"; });

}  // namespace
}  // namespace kite::oracle
