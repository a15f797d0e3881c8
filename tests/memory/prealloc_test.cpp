#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>

#include "base/unique_fd.h"
#include "memory/mapping.h"
#include "tests/memory/process.h"

namespace kite {
namespace {

// A mapping of 64 pages of which the file behind has only `filled`; a store to the rest is SIGBUS.
class ShortFile {
 public:
  explicit ShortFile(u64 filled) {
    UniqueFd fd(::open((directory_.path() + "/short").c_str(), O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(filled * kPageSize)), 0);
    data =
        static_cast<u8*>(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  }
  ~ShortFile() { ::munmap(data, kSize); }
  ShortFile(const ShortFile&) = delete;
  ShortFile& operator=(const ShortFile&) = delete;

  static constexpr u64 kSize = 16 * MiB;
  u8* data;

 private:
  test::TemporaryDirectory directory_;
};

TEST(Preallocation, APageTheHostCannotProvideIsAnErrorAndNoSignal) {
  ShortFile file(100);
  for (u32 threads : {1u, 4u})
    for (bool writable : {true, false})
      EXPECT_FALSE(preallocate(file.data, ShortFile::kSize, kPageSize, threads, writable));
}

TEST(Preallocation, GivesTheSignalBackToWhoHadItBefore) {
  struct sigaction before, after;
  ::sigaction(SIGBUS, nullptr, &before);
  ShortFile file(100);
  EXPECT_FALSE(preallocate(file.data, ShortFile::kSize, kPageSize, 2, true));
  EXPECT_TRUE(preallocate(file.data, 100 * kPageSize, kPageSize, 2, true));
  ::sigaction(SIGBUS, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace kite
