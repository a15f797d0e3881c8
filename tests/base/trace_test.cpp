#include "base/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

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

void trace_from_two_threads(const std::string& path) {
  if (!trace::enable("cpu=" + path)) std::exit(1);
  const auto work = [](const char* name) {
    trace::name_thread(name);
    for (int i = 0; i < 500; ++i) trace::write(trace::Category::kCpu, "{0} {0}", name);
  };
  std::thread first(work, "vcpu 0");
  std::thread second(work, "vcpu 1");
  first.join();
  second.join();
  std::exit(0);
}

// Several threads write at once: each line is whole and says whose it is.
TEST(TraceDeathTest, LinesOfSeveralThreadsAreWholeAndNameTheThread) {
  const auto path =
      std::filesystem::temp_directory_path() / ("kite-threads-" + std::to_string(::getpid()));
  EXPECT_EXIT(trace_from_two_threads(path.string()), testing::ExitedWithCode(0), "");
  std::ifstream file(path);
  int lines[2] = {};
  for (std::string line; std::getline(file, line);) {
    const bool first = line == "cpu: vcpu 0: vcpu 0 vcpu 0";
    EXPECT_TRUE(first || line == "cpu: vcpu 1: vcpu 1 vcpu 1") << line;
    ++lines[first ? 0 : 1];
  }
  EXPECT_EQ(lines[0], 500);
  EXPECT_EQ(lines[1], 500);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace kite
