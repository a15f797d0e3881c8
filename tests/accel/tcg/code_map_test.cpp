// How a store by one vCPU, or by the host, reaches the others' code caches.
#include "accel/tcg/code_map.h"

#include <gtest/gtest.h>

namespace kite::tcg {
namespace {

constexpr u32 kBit = 8;
constexpr Gpa kPage = 0x7000;

class CodeMapTest : public testing::Test {
 protected:
  CodeMapTest() {
    for (Attention& attention : attention_) map_.join(attention, kBit);
  }
  void enter(unsigned vcpu) { map_.acknowledge(vcpu, map_.news(vcpu, true).sequence); }
  u64 mark(unsigned vcpu, u64 granules) {
    return map_.mark(map_.page(kPage), kPage, granules, vcpu).sequence;
  }
  bool wanted(unsigned vcpu) const { return attention_[vcpu] & kBit; }

  CodeMap map_{3};
  Attention attention_[3];
};

TEST_F(CodeMapTest, GranulesAreBitsOf64Bytes) {
  EXPECT_EQ(granules_of(0, 1), 1u);
  EXPECT_EQ(granules_of(63, 2), 3u);
  EXPECT_EQ(granules_of(0, 4096), ~u64{0});
  EXPECT_EQ(granules_of(4095, 1), u64{1} << 63);
}

TEST_F(CodeMapTest, AStoreToCodeTellsWhoHasItAndNobodyElse) {
  mark(0, 1);
  mark(1, 6);
  attention_[0].take();
  attention_[1].take();
  map_.written(kPage + 64, 8, 2);
  EXPECT_FALSE(wanted(0));
  EXPECT_TRUE(wanted(1));
  const CodeMap::News news = map_.news(1, false);
  ASSERT_EQ(news.stale.size(), 1u);
  EXPECT_EQ(news.stale[0].page, kPage);
  EXPECT_EQ(news.stale[0].granules, 2u);
  EXPECT_TRUE(map_.news(1, false).stale.empty());
}

TEST_F(CodeMapTest, TheWriterIsNotToldButTheHostTellsAll) {
  mark(0, 1);
  mark(1, 1);
  map_.written(kPage, 4, 0);
  EXPECT_TRUE(map_.news(0, false).stale.empty());
  EXPECT_FALSE(map_.news(1, false).stale.empty());
  mark(1, 1);
  map_.written(kPage - 4, 8, CodeMap::kNobody);  // across pages
  EXPECT_FALSE(map_.news(0, false).stale.empty());
  EXPECT_FALSE(map_.news(1, false).stale.empty());
}

TEST_F(CodeMapTest, APageWhoseCodeIsGoneMayBeStoredToAgain) {
  EXPECT_FALSE(map_.has_code(kPage));
  mark(0, 5);
  EXPECT_TRUE(map_.has_code(kPage));
  map_.written(kPage, 1, 1);
  EXPECT_TRUE(map_.has_code(kPage));
  map_.written(kPage + 128, 1, 1);
  EXPECT_FALSE(map_.has_code(kPage));
}

TEST_F(CodeMapTest, BlocksAreKeptOnceTheOthersHaveLookedThroughTheirTlbs) {
  enter(1);
  const u64 sequence = mark(0, 1);
  ASSERT_NE(sequence, 0u);
  EXPECT_TRUE(wanted(1));
  EXPECT_FALSE(map_.acknowledged(sequence, 0));
  const CodeMap::News news = map_.news(1, false);
  EXPECT_TRUE(news.protect);
  EXPECT_FALSE(map_.acknowledged(sequence, 0));
  map_.acknowledge(1, news.sequence);
  EXPECT_TRUE(map_.acknowledged(sequence, 0));
  EXPECT_EQ(mark(0, 2), 0u);  // the page is known by now
}

TEST_F(CodeMapTest, AVcpuThatIsOutsideLooksWhenItComesIn) {
  const u64 sequence = mark(0, 1);
  EXPECT_TRUE(map_.acknowledged(sequence, 0));
  const CodeMap::News news = map_.news(1, true);
  EXPECT_TRUE(news.protect);
  EXPECT_FALSE(map_.acknowledged(sequence, 0));
  map_.acknowledge(1, news.sequence);
  EXPECT_TRUE(map_.acknowledged(sequence, 0));
  map_.leave(1);
  EXPECT_TRUE(map_.acknowledged(sequence + 1, 0));
}

TEST_F(CodeMapTest, ClearedByAStoreAPageBeginsAnew) {
  enter(1);
  mark(0, 1);
  enter(1);
  map_.written(kPage, 1, 1);
  EXPECT_NE(mark(0, 1), 0u);
}

TEST_F(CodeMapTest, TooManyStoresForgetEverything) {
  for (u64 i = 0; i < 1000; ++i) {
    const Gpa page = i * kPageSize;
    map_.mark(map_.page(page), page, 1, 0);
    map_.written(page, 1, 1);
  }
  const CodeMap::News news = map_.news(0, false);
  EXPECT_TRUE(news.everything);
  EXPECT_LT(news.stale.size(), 1000u);
}

}  // namespace
}  // namespace kite::tcg
