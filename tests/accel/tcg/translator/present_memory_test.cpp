#include "accel/tcg/translator/present_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>

namespace kite::tcg {
namespace {

constexpr unsigned kPages = 64;

class PresentMemoryTest : public testing::Test {
 protected:
  PresentMemoryTest()
      : pages_(::mmap(nullptr, kPages * kPageSize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~PresentMemoryTest() override { ::munmap(pages_, kPages * kPageSize); }
  void SetUp() override {
    ASSERT_NE(pages_, MAP_FAILED);
    if (host::populate(static_cast<u8*>(pages_) + (kPages - 1) * kPageSize, kPageSize, true) != 0)
      GTEST_SKIP() << "the host has no such call";
  }
  unsigned present() const {
    std::array<unsigned char, kPages> there = {};
    ::mincore(pages_, kPages * kPageSize, there.data());
    unsigned count = 0;
    for (unsigned char page : there) count += page & 1;
    return count - 1;  // but for SetUp()'s
  }

  void* pages_;
};

TEST_F(PresentMemoryTest, ComesAPieceAhead) {
  PresentMemory memory(pages_, kPages * kPageSize);
  EXPECT_EQ(present(), 0u);
  memory.reach(1);
  EXPECT_EQ(present(), 16u);
  memory.reach(16 * kPageSize);
  EXPECT_EQ(present(), 16u);
  memory.reach(16 * kPageSize + 1);
  EXPECT_EQ(present(), 32u);
}

TEST_F(PresentMemoryTest, EndsWithItsLastWholePage) {
  PresentMemory memory(static_cast<u8*>(pages_) + 16, 20 * kPageSize);
  memory.reach(100 * kPageSize);
  EXPECT_EQ(present(), 19u);
}

}  // namespace
}  // namespace kite::tcg
