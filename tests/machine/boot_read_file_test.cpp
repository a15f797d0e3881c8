#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "machine/boot/read_file.h"

namespace kite {
namespace {

class ReadFile : public testing::Test {
 protected:
  ~ReadFile() override { ::unlink(path_.c_str()); }
  void write(const std::string& content) { std::ofstream(path_, std::ios::binary) << content; }

  std::string path_ = testing::TempDir() + "/kite-read-file-" + std::to_string(::getpid());
};

TEST_F(ReadFile, GivesTheWholeFile) {
  write("hello");
  const auto bytes = read_file(path_, "kernel", 5);
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(*bytes, (std::vector<u8>{'h', 'e', 'l', 'l', 'o'}));
}

TEST_F(ReadFile, AMissingFileAndAFolderAreNoInput) {
  const auto missing = read_file(path_, "kernel", 1 * MiB);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNoInput);
  EXPECT_EQ(missing.error().message, "kernel '" + path_ + "': No such file or directory");
  const auto folder = read_file("/", "initrd", 1 * MiB);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::kNoInput);
  EXPECT_EQ(folder.error().message, "initrd '/': a directory, not a file");
}

TEST_F(ReadFile, AnEmptyFileAndOneBeyondTheLimitAreBadData) {
  write("");
  EXPECT_EQ(read_file(path_, "kernel", 1 * MiB).error().kind, ErrorKind::kData);
  write(std::string(100, 'x'));
  ASSERT_EQ(::truncate(path_.c_str(), 2 * MiB), 0);
  const auto large = read_file(path_, "initrd", 1 * MiB);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().kind, ErrorKind::kData);
}

TEST_F(ReadFile, ADeviceThatNeverEndsIsStoppedAtTheLimit) {
  const auto endless = read_file("/dev/zero", "kernel", 3 * MiB);
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().kind, ErrorKind::kData);
}

}  // namespace
}  // namespace kite
