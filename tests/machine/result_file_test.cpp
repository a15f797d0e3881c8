#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/machine/run_fake.h"

namespace kite {
namespace {

struct ResultFileTest : ::testing::Test {
  ResultFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kite-test-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    config = test::fake_config();
    config.result_file = folder / "result.json";
  }
  ~ResultFileTest() override { std::filesystem::remove_all(folder); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }
  std::filesystem::path folder;
  MachineConfig config;
};

TEST_F(ResultFileTest, HoldsTheOutcomeAsJson) {
  test::run_fake(config, [](test::FakeVcpu& vcpu) -> Exit {
    vcpu.print("bytes that are no text: \xff\xfe\r\n");
    return Exit{Exit::Kind::kShutdown, false};
  });
  std::ifstream file(config.result_file);
  auto json = nlohmann::json::parse(file);
  EXPECT_EQ(json["outcome"], "triple-fault");
  EXPECT_EQ(json["status"], 101);
  EXPECT_EQ(json["accelerator"], "tcg");
  EXPECT_EQ(json["accelerator_reason"], "--accel tcg");
  EXPECT_EQ(json["instructions"], 4711);
  EXPECT_FALSE(json.contains("translator")) << "an accelerator without one";
  EXPECT_GT(json["run_seconds"], 0.0);
  EXPECT_EQ(files(), 1u) << "nothing temporary is left";
}

TEST_F(ResultFileTest, HoldsWhatTheTranslatorHasDone) {
  TranslatorFigures figures{.blocks = 1000,
                            .guest_bytes = 17000,
                            .host_bytes = 90000,
                            .time = 400 * kMicrosecond,
                            .discarded = 12,
                            .flushes = 1,
                            .declined = {}};
  for (u64 i = 0; i < 30; ++i) figures.declined.push_back({fmt::format("row{:02}", i), i / 2});
  const test::FakeAccelerator accelerator(
      [](test::FakeVcpu&) -> Exit {
        return Exit{Exit::Kind::kShutdown, false};
      },
      figures);
  auto machine = test::create_fake(config, accelerator);
  ASSERT_TRUE(machine) << machine.error().message;
  (*machine)->run();
  std::ifstream file(config.result_file);
  const auto json = nlohmann::json::parse(file)["translator"];
  EXPECT_EQ(json["blocks"], 1000);
  EXPECT_EQ(json["guest_bytes"], 17000);
  EXPECT_EQ(json["host_bytes"], 90000);
  EXPECT_EQ(json["nanoseconds"], 400'000);
  EXPECT_EQ(json["discarded"], 12);
  EXPECT_EQ(json["flushes"], 1);
  const auto& declined = json["declined"];
  ASSERT_EQ(declined.size(), 20u) << "the most frequent ones";
  EXPECT_EQ(declined[0], (nlohmann::json{{"name", "row28"}, {"count", 14}}));
  EXPECT_EQ(declined[1], (nlohmann::json{{"name", "row29"}, {"count", 14}}));
  EXPECT_EQ(declined[19], (nlohmann::json{{"name", "row11"}, {"count", 5}}));
}

TEST_F(ResultFileTest, CheckingLeavesNothingBehind) {
  EXPECT_TRUE(check_result_file(config.result_file));
  EXPECT_EQ(files(), 0u);
}

TEST_F(ResultFileTest, AnUnwritablePathIsAnErrorBeforeTheRun) {
  config.result_file = folder / "missing" / "result.json";
  test::FakeAccelerator accelerator([](test::FakeVcpu& vcpu) -> Exit { return vcpu.spin(); });
  auto machine = test::create_fake(config, accelerator);
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().kind, ErrorKind::kIo);
}

TEST_F(ResultFileTest, ADeviceIsWrittenInPlace) {
  EXPECT_TRUE(write_result_file("/dev/null", config, Outcome{}));
  struct stat status;
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST_F(ResultFileTest, AFullDiskIsAnErrorThatSaysSo) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "this host has no /dev/full";
  Result<> result = write_result_file("/dev/full", config, Outcome{});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kIo);
}

}  // namespace
}  // namespace kite
