// What every back end delivers.
#include "memory/backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/memory/process.h"

namespace kite {
namespace {

HostMemory make(const std::string& text) {
  auto config = parse_backend(text);
  EXPECT_TRUE(config) << config.error().message;
  if (!config) return {};
  auto memory = allocate(*config);
  EXPECT_TRUE(memory) << memory.error().message;
  return memory ? std::move(*memory) : HostMemory();
}

void write_file(const std::string& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary) << contents;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class EveryBackend : public testing::TestWithParam<std::string> {
 protected:
  // The file back end needs a path; the other kinds take the options as they are.
  std::string text(const std::string& options) {
    return GetParam() + options + (GetParam() == "file" ? ",mem-path=" + directory_.path() : "");
  }
  test::TemporaryDirectory directory_;
};

TEST_P(EveryBackend, GivesZeroedWritableMemoryOfTheSizeAskedFor) {
  const HostMemory memory = make(text(",size=4M"));
  ASSERT_EQ(memory.size(), 4 * MiB);
  EXPECT_FALSE(memory.readonly());
  EXPECT_EQ(memory.page_size(), kPageSize);
  for (u64 at = 0; at < memory.size(); at += kPageSize) {
    ASSERT_EQ(memory.data()[at], 0);
    memory.data()[at] = 1;
  }
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % (2 * MiB), 0u);
}

TEST_P(EveryBackend, ShareIsOnByDefaultForMemfdAndShmAndOffForTheOthers) {
  const bool shared = GetParam() == "memfd" || GetParam() == "shm";
  EXPECT_EQ(make(text(",size=64K")).shared(), shared);
  EXPECT_TRUE(make(text(",size=64K,share=on")).shared());
}

TEST_P(EveryBackend, LeavesNothingBehindAtItsEnd) {
  const int before = test::open_descriptors();
  { const HostMemory memory = make(text(",size=64K")); }
  EXPECT_EQ(test::open_descriptors(), before);
  EXPECT_TRUE(test::shm_entries().empty());
  EXPECT_TRUE(directory_.entries().empty());
}

TEST_P(EveryBackend, HasNoNameWhileItIsInUse) {
  const HostMemory memory = make(text(",size=64K"));
  EXPECT_TRUE(test::shm_entries().empty());
  EXPECT_TRUE(directory_.entries().empty());
}

TEST_P(EveryBackend, ItsDescriptorDoesNotSurviveAnExec) {
  const HostMemory memory = make(text(",size=64K"));
  if (GetParam() == "ram")
    EXPECT_EQ(memory.fd(), -1);
  else
    EXPECT_EQ(::fcntl(memory.fd(), F_GETFD), FD_CLOEXEC);
}

TEST_P(EveryBackend, PreallocatesWithSeveralThreads) {
  const HostMemory memory = make(text(",size=32M,prealloc=on,prealloc-threads=4"));
  ASSERT_EQ(memory.size(), 32 * MiB);
  std::vector<unsigned char> resident(memory.size() / kPageSize);
  ASSERT_EQ(::mincore(memory.data(), memory.size(), resident.data()), 0);
  for (unsigned char page : resident) ASSERT_EQ(page & 1, 1);
}

TEST_P(EveryBackend, MovingHandsTheMemoryOver) {
  HostMemory first = make(text(",size=64K"));
  first.data()[0] = 7;
  HostMemory second = std::move(first);
  EXPECT_EQ(first.data(), nullptr);
  EXPECT_EQ(second.data()[0], 7);
  second = make(text(",size=128K"));
  EXPECT_EQ(second.size(), 128 * KiB);
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const Backend& backend : backends()) list.emplace_back(backend.name);
  return list;
}
INSTANTIATE_TEST_SUITE_P(, EveryBackend, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(FileBackend, KeepsTheGuestsMemoryInTheFileWhenShared) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/ram";
  make("file,share=on,size=64K,mem-path=" + path).data()[5] = 'x';
  ASSERT_EQ(read_file(path).size(), 64 * KiB);
  EXPECT_EQ(read_file(path)[5], 'x');
}

TEST(FileBackend, LeavesTheFileAsItWasWhenPrivate) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/ram";
  write_file(path, std::string(8192, 'a'));
  const HostMemory memory = make("file,size=8K,mem-path=" + path);
  EXPECT_EQ(memory.data()[0], 'a');
  memory.data()[0] = 'b';
  EXPECT_EQ(read_file(path), std::string(8192, 'a'));
}

TEST(FileBackend, PreallocationKeepsTheContents) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/ram";
  write_file(path, std::string(8192, 'a'));
  make("file,size=8K,share=on,prealloc=on,mem-path=" + path);
  EXPECT_EQ(read_file(path), std::string(8192, 'a'));
}

TEST(FileBackend, GivesAnEmptyFileItsSize) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/ram";
  write_file(path, "");
  EXPECT_EQ(make("file,size=8K,share=on,mem-path=" + path).size(), 8 * KiB);
  EXPECT_EQ(read_file(path).size(), 8 * KiB);
}

TEST(FileBackend, MapsPartOfALargerFileAtAnOffset) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/ram";
  write_file(path, std::string(4096, 'a') + std::string(4096, 'b') + std::string(4096, 'c'));
  const HostMemory memory = make("file,size=4K,offset=4K,share=on,mem-path=" + path);
  EXPECT_EQ(memory.data()[0], 'b');
  EXPECT_EQ(memory.fd_offset(), 4 * KiB);
  memory.data()[0] = 'x';
  EXPECT_EQ(read_file(path)[4096], 'x');
}

TEST(FileBackend, AlignPlacesTheMapping) {
  test::TemporaryDirectory directory;
  const HostMemory memory = make("file,size=64K,align=16M,mem-path=" + directory.path());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % (16 * MiB), 0u);
}

TEST(FileBackend, ReadonlyIsRomUnlessRomIsOff) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/rom";
  write_file(path, std::string(4096, 'r'));
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  EXPECT_TRUE(make("file,size=4K,readonly=on,mem-path=" + path).readonly());
  const HostMemory copy = make("file,size=4K,readonly=on,rom=off,mem-path=" + path);
  ASSERT_FALSE(copy.readonly());
  copy.data()[0] = 'x';
  EXPECT_EQ(read_file(path)[0], 'r');
}

TEST(FileBackend, PreallocatesReadonlyFilesByReading) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/rom";
  write_file(path, std::string(8192, 'r'));
  EXPECT_EQ(make("file,size=8K,readonly=on,prealloc=on,mem-path=" + path).data()[8191], 'r');
}

}  // namespace
}  // namespace kite
