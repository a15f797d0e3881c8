#include "accel/tcg/flat_table.h"

#include <gtest/gtest.h>

namespace kite::tcg {
namespace {

constexpr u64 kPage = 0x7fff'1234'5000, kAddend = 0x1'0000'0000;
constexpr u64 kGlobal = 1;

// What translated code loads for an access of `size` bytes.
u64 looked_up(const u64* words, u64 linear, unsigned size) {
  const u64 first = linear / kPageSize, last = (linear + size - 1) / kPageSize;
  return words[(first + last) % FlatTable::kWords];
}

class FlatTables_ : public testing::Test {
 protected:
  void SetUp() override {
    auto made = FlatTables::create();
    if (!made) GTEST_SKIP() << made.error().message;
    tables_ = std::move(*made);
  }
  u64 read(u64 linear, unsigned size = 1) const { return looked_up(tables_.reads(0), linear, size); }
  u64 write(u64 linear, unsigned size = 1) const {
    return looked_up(tables_.writes(0), linear, size);
  }
  FlatTables tables_;
};

TEST_F(FlatTables_, AnAccessInsideAFilledPageFindsTheAddend) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, false);
  EXPECT_EQ(read(kPage), kAddend);
  EXPECT_EQ(read(kPage + 0xff8, 8), kAddend);
  EXPECT_EQ(write(kPage), 0u);
}

TEST_F(FlatTables_, AnAccessAcrossTwoPagesFindsWhatBothHave) {
  tables_.fill(0, kPage + kPageSize, 0x6000, kAddend, true, true);
  for (u64 offset = 0xff9; offset < 0x1000; ++offset) EXPECT_EQ(read(kPage + offset, 8), 0u);
  tables_.fill(0, kPage, 0x5000, kAddend, true, false);
  for (u64 offset = 0xff9; offset < 0x1000; ++offset) EXPECT_EQ(read(kPage + offset, 8), kAddend);
  EXPECT_EQ(write(kPage + 0xfff, 2), 0u);
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  EXPECT_EQ(write(kPage + 0xfff, 2), kAddend);
}

TEST_F(FlatTables_, AnAccessAcrossPagesThatLieApartFindsNothing) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.fill(0, kPage + kPageSize, 0x9000, kAddend + 0x3000, true, true);
  EXPECT_EQ(read(kPage + 0xffc, 8), 0u);
  EXPECT_EQ(write(kPage + 0xffc, 8), 0u);
  EXPECT_EQ(read(kPage + kPageSize, 8), kAddend + 0x3000);
}

TEST_F(FlatTables_, AnAccessAcrossPagesEndsWithEitherOfThem) {
  for (u64 gone : {kPage, kPage + kPageSize}) {
    tables_.fill(0, kPage, 0x5000, kAddend, true, true);
    tables_.fill(0, kPage + kPageSize, 0x6000, kAddend, true, true);
    tables_.protect_if([&](u64 linear, u64) { return linear == gone; });
    EXPECT_EQ(write(kPage + 0xffc, 8), 0u);
    EXPECT_EQ(read(kPage + 0xffc, 8), kAddend);
    tables_.flush_page(gone);
    EXPECT_EQ(read(kPage + 0xffc, 8), 0u);
  }
}

// Where 32-bit code goes on at 0, whose page numbers' sum is that of two pages elsewhere.
TEST_F(FlatTables_, AnAccessAcross4GiBFindsNothing) {
  tables_.fill(0, 4 * GiB - kPageSize, 0x5000, kAddend, true, true);
  tables_.fill(0, 4 * GiB, 0x6000, kAddend, true, true);
  EXPECT_EQ(read(4 * GiB - 4, 8), 0u);
}

TEST_F(FlatTables_, PrivilegesShareNothing) {
  tables_.fill(1, kPage, 0x5000, kAddend, true, true);
  EXPECT_EQ(read(kPage), 0u);
  EXPECT_EQ(looked_up(tables_.reads(1), kPage, 4), kAddend);
}

TEST_F(FlatTables_, AFlushForgetsAllAndThatOfOnePageOnlyThatPage) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.fill(0, kPage + kPageSize, 0x6000, kAddend, true, true);
  tables_.flush_page(kPage);
  EXPECT_EQ(read(kPage), 0u);
  EXPECT_EQ(write(kPage), 0u);
  EXPECT_EQ(read(kPage + kPageSize), kAddend);
  tables_.flush();
  EXPECT_EQ(read(kPage + kPageSize), 0u);
}

TEST_F(FlatTables_, GlobalPagesCanStayWhileOthersGo) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.fill(0, kPage + kPageSize, 0x6000 | kGlobal, kAddend, true, true);
  tables_.flush_if([](u64, u64 tag) { return !(tag & kGlobal); });
  EXPECT_EQ(read(kPage), 0u);
  EXPECT_EQ(write(kPage + kPageSize), kAddend);
}

TEST_F(FlatTables_, ProtectionTakesStoresAndLeavesLoads) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.protect_if([](u64, u64 tag) { return align_down(tag, kPageSize) == 0x5000; });
  EXPECT_EQ(write(kPage), 0u);
  EXPECT_EQ(read(kPage), kAddend);
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.protect_if([](u64, u64) { return true; });
  EXPECT_EQ(write(kPage), 0u);
}

// 8 TiB apart two pages share a word: whoever forgets the one forgets the other.
TEST_F(FlatTables_, AliasesShareAWordAndAreForgottenTogether) {
  const u64 alias = kPage - (u64{1} << 43);
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.fill(0, alias, 0x6000, kAddend + 0x1000, true, true);
  EXPECT_EQ(read(kPage), kAddend + 0x1000);
  tables_.flush();
  EXPECT_EQ(read(kPage), 0u);
}

TEST_F(FlatTables_, MorePagesThanAreNotedStartAnew) {
  constexpr u64 kMany = (1 << 16) + 1;
  for (u64 i = 0; i < kMany; ++i) tables_.fill(0, i * kPageSize, i * kPageSize, kAddend, true, true);
  EXPECT_EQ(read(0), 0u);
  EXPECT_EQ(read((kMany - 1) * kPageSize), kAddend);
  tables_.flush();
  EXPECT_EQ(read((kMany - 1) * kPageSize), 0u);
}

}  // namespace
}  // namespace kite::tcg
