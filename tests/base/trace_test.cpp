#include "base/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace kite {
namespace {

using testing::HasSubstr;

TEST(Trace, CategoriesAreNumberedAsTheyAreListed) {
  u32 index = 0;
  for (const auto& known : trace::categories())
    EXPECT_EQ(static_cast<u32>(known.category), index++) << known.name;
}

TEST(Trace, AnUnknownCategoryIsAnErrorThatNamesTheNearest) {
  auto result = trace::enable("cpu,mmoi");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(result.error().message, HasSubstr("'mmoi'; did you mean 'mmio'?"));
  EXPECT_FALSE(trace::enabled(trace::Category::kCpu));
  EXPECT_FALSE(trace::enable(""));
  EXPECT_FALSE(trace::enable("cpu,"));
}

TEST(Trace, AFileThatCannotBeWrittenIsAnErrorThatNamesIt) {
  auto result = trace::enable("cpu=/no/such/directory/trace");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kIo);
  EXPECT_THAT(result.error().message, HasSubstr("/no/such/directory/trace"));
  EXPECT_FALSE(trace::enabled(trace::Category::kCpu));
}

// In a process of its own, since a category cannot be switched off again.
TEST(TraceDeathTest, LinesOfTheEnabledCategoriesGoToTheFile) {
  const auto path =
      std::filesystem::temp_directory_path() / ("kite-trace-" + std::to_string(::getpid()));
  EXPECT_EXIT(
      {
        if (!trace::enable("pio,irq=" + path.string())) std::exit(1);
        trace::write(trace::Category::kPio, "port {:#x}", 0x3f8);
        trace::write(trace::Category::kIrq, "line {}", 4);
        trace::write(trace::Category::kMsr, "not wanted");
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, "pio: port 0x3f8\nirq: line 4\n");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace kite
