// The translator's figures out of a result file.
#include "tests/bench/translator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace kite::bench {
namespace {

std::optional<Translator> translator_in(const std::string& json) {
  // By test: they run beside each other.
  const std::string path = testing::TempDir() + "kite-bench-translator-" +
                           testing::UnitTest::GetInstance()->current_test_info()->name() + ".json";
  std::ofstream(path) << json;
  return translator_of(path);
}

TEST(BenchTranslator, FiguresAreToldByTheBlock) {
  const auto translator = translator_in(
      R"({"translator": {"blocks": 200, "guest_bytes": 3400, "host_bytes": 16000,)"
      R"( "nanoseconds": 70000, "discarded": 10, "declined": [{"name": "cli", "count": 3}]}})");
  ASSERT_TRUE(translator);
  EXPECT_THAT(describe(translator),
              testing::HasSubstr("| 200 | 350 | 17.0 | 80.0 | 10 (5.0 %) | 3 |"));
}

TEST(BenchTranslator, AKiteWithoutOneHasNoTable) {
  EXPECT_EQ(describe(translator_in(R"({"outcome": "poweroff"})")), "");
  EXPECT_EQ(describe(translator_in(R"({"translator": null})")), "");
  EXPECT_EQ(describe(translator_in("no JSON")), "");
  EXPECT_FALSE(translator_of("/nowhere/at/all"));
}

}  // namespace
}  // namespace kite::bench
