#include "accel/tcg/fast_tables.h"

#include <gtest/gtest.h>

#include <memory>

#include "accel/tcg/tlb.h"

namespace kite::tcg {
namespace {

constexpr u64 kPage = 0x7fff'1234'5000, kAddend = 0x1'0000'0000;
constexpr u64 kGlobal = 1;

class FastTables_ : public testing::TestWithParam<TableKind> {
 protected:
  void SetUp() override {
    auto made = FastTables::create(GetParam());
    if (!made) GTEST_SKIP() << made.error().message;
    tables_ = std::move(*made);
  }
  u64 read(u64 linear, unsigned size = 1, unsigned privilege = 0) const {
    return FastTable::look_up(GetParam(), tables_.bases().reads[privilege], linear,
                              linear + size - 1);
  }
  u64 write(u64 linear, unsigned size = 1) const {
    return FastTable::look_up(GetParam(), tables_.bases().writes[0], linear, linear + size - 1);
  }
  FastTables tables_;
};

TEST_P(FastTables_, AnAccessInsideAFilledPageFindsTheAddend) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, false);
  EXPECT_EQ(read(kPage), kAddend);
  EXPECT_EQ(read(kPage + 0xff8, 8), kAddend);
  EXPECT_EQ(write(kPage), 0u);
}

// The flat ones' word is for both pages if they follow each other in the host's memory, too.
TEST_P(FastTables_, AnAccessAcrossTwoPagesFindsWhatBothHaveOrNothing) {
  const u64 both = GetParam() == TableKind::kFlat ? kAddend : 0;
  tables_.fill(0, kPage + kPageSize, 0x6000, kAddend, true, true);
  for (u64 offset = 0xff9; offset < 0x1000; ++offset) EXPECT_EQ(read(kPage + offset, 8), 0u);
  tables_.fill(0, kPage, 0x5000, kAddend, true, false);
  for (u64 offset = 0xff9; offset < 0x1000; ++offset) EXPECT_EQ(read(kPage + offset, 8), both);
  EXPECT_EQ(write(kPage + 0xfff, 2), 0u);
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  EXPECT_EQ(write(kPage + 0xfff, 2), both);
}

TEST_P(FastTables_, AnAccessAcrossPagesThatLieApartFindsNothing) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.fill(0, kPage + kPageSize, 0x9000, kAddend + 0x3000, true, true);
  EXPECT_EQ(read(kPage + 0xffc, 8), 0u);
  EXPECT_EQ(write(kPage + 0xffc, 8), 0u);
  EXPECT_EQ(read(kPage + kPageSize, 8), kAddend + 0x3000);
}

TEST_P(FastTables_, AnAccessAcrossPagesEndsWithEitherOfThem) {
  for (u64 gone : {kPage, kPage + kPageSize}) {
    tables_.fill(0, kPage, 0x5000, kAddend, true, true);
    tables_.fill(0, kPage + kPageSize, 0x6000, kAddend, true, true);
    const u64 before = read(kPage + 0xffc, 8);
    tables_.protect_if([&](u64 linear, u64) { return linear == gone; });
    EXPECT_EQ(write(kPage + 0xffc, 8), 0u);
    EXPECT_EQ(read(kPage + 0xffc, 8), before);
    tables_.flush_page(gone);
    EXPECT_EQ(read(kPage + 0xffc, 8), 0u);
  }
}

// Where 32-bit code goes on at 0, whose page numbers' sum is that of two pages elsewhere.
TEST_P(FastTables_, AnAccessAcross4GiBFindsNothing) {
  tables_.fill(0, 4 * GiB - kPageSize, 0x5000, kAddend, true, true);
  tables_.fill(0, 4 * GiB, 0x6000, kAddend, true, true);
  EXPECT_EQ(read(4 * GiB - 4, 8), 0u);
}

// Up to the ends of the address space, where what is empty must not look like page 0.
TEST_P(FastTables_, WhereNothingIsFilledNothingIsFound) {
  for (u64 page : {u64{0}, u64{1}, u64{0xffff}, u64{0x10000}, u64{0x8000}, ~u64{0} / kPageSize})
    for (u64 offset : {0, 1, 0xff8, 0xfff})
      for (unsigned size : {1, 2, 8, 64})
        EXPECT_EQ(read(page * kPageSize + offset, size), 0u) << page << " " << offset;
}

TEST_P(FastTables_, TheFirstAndTheLastPageCanBeFilledAndForgotten) {
  for (u64 page : {u64{0}, 0 - kPageSize}) {
    tables_.fill(0, page, 0x5000, kAddend, true, true);
    EXPECT_EQ(read(page, 8), kAddend);
    EXPECT_EQ(read(page + 0xfff, 2), 0u);
    EXPECT_EQ(read(page - 1, 2), 0u);
    tables_.flush_page(page);
    EXPECT_EQ(read(page, 8), 0u);
    EXPECT_EQ(write(page + 0xfff, 1), 0u);
  }
}

// The count of translated code's shifts.
TEST(HashedTable, ItsBaseIsAShiftToAPagesNumber) {
  const auto table = HashedTable::create();
  ASSERT_TRUE(table);
  EXPECT_EQ(reinterpret_cast<u64>(table->base()) % 64, HashedTable::kShift);
}

TEST_P(FastTables_, PrivilegesShareNothing) {
  tables_.fill(1, kPage, 0x5000, kAddend, true, true);
  EXPECT_EQ(read(kPage), 0u);
  EXPECT_EQ(read(kPage, 4, 1), kAddend);
}

TEST_P(FastTables_, AFlushForgetsAllAndThatOfOnePageOnlyThatPage) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.fill(0, kPage + kPageSize, 0x6000, kAddend, true, true);
  tables_.flush_page(kPage);
  EXPECT_EQ(read(kPage), 0u);
  EXPECT_EQ(write(kPage), 0u);
  EXPECT_EQ(read(kPage + kPageSize), kAddend);
  tables_.flush();
  EXPECT_EQ(read(kPage + kPageSize), 0u);
}

TEST_P(FastTables_, GlobalPagesCanStayWhileOthersGo) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.fill(0, kPage + kPageSize, 0x6000 | kGlobal, kAddend, true, true);
  tables_.flush_if([](u64, u64 tag) { return !(tag & kGlobal); });
  EXPECT_EQ(read(kPage), 0u);
  EXPECT_EQ(write(kPage + kPageSize), kAddend);
}

TEST_P(FastTables_, ProtectionTakesStoresAndLeavesLoads) {
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.protect_if([](u64, u64 tag) { return align_down(tag, kPageSize) == 0x5000; });
  EXPECT_EQ(write(kPage), 0u);
  EXPECT_EQ(read(kPage), kAddend);
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.protect_if([](u64, u64) { return true; });
  EXPECT_EQ(write(kPage), 0u);
}

// Flat tables have a word for pages 8 TiB apart, hashed ones for pages 256 MiB apart.
TEST_P(FastTables_, PagesThatShareAPlaceAreForgottenTogether) {
  const u64 apart = GetParam() == TableKind::kFlat ? u64{1} << 43 : 256 * MiB;
  tables_.fill(0, kPage, 0x5000, kAddend, true, true);
  tables_.fill(0, kPage - apart, 0x6000, kAddend + 0x1000, true, true);
  EXPECT_EQ(read(kPage - apart), kAddend + 0x1000);
  EXPECT_EQ(read(kPage), GetParam() == TableKind::kFlat ? kAddend + 0x1000 : 0u);
  tables_.flush();
  EXPECT_EQ(read(kPage), 0u);
  EXPECT_EQ(read(kPage - apart), 0u);
}

// Of two pages that share a place the one that has lost it is taken back anew, and what it was is
// not forgotten twice.
TEST_P(FastTables_, APageThatLostItsPlaceGetsItBack) {
  const u64 other = kPage + 256 * MiB;
  for (int i = 0; i < 3; ++i) {
    tables_.fill(0, kPage, 0x5000, kAddend, true, true);
    EXPECT_EQ(write(kPage), kAddend);
    tables_.fill(0, other, 0x6000, kAddend + 0x1000, true, true);
    EXPECT_EQ(write(other), kAddend + 0x1000);
  }
  tables_.protect_if([](u64, u64 tag) { return align_down(tag, kPageSize) == 0x5000; });
  EXPECT_EQ(write(other), kAddend + 0x1000);
  tables_.flush_page(kPage);
  EXPECT_EQ(read(other), kAddend + 0x1000);
  tables_.flush();
  EXPECT_EQ(read(other), 0u);
}

TEST_P(FastTables_, MorePagesThanAreNotedStartAnew) {
  constexpr u64 kMany = (1 << 16) + 1;
  for (u64 i = 0; i < kMany; ++i)
    tables_.fill(0, i * kPageSize, i * kPageSize, kAddend, true, true);
  EXPECT_EQ(read(0), 0u);
  EXPECT_EQ(read((kMany - 1) * kPageSize), kAddend);
  tables_.flush();
  EXPECT_EQ(read((kMany - 1) * kPageSize), 0u);
}

// A page that only the TLB has would take the slow way for ever.
TEST_P(FastTables_, HaveWhatTheTlbHasAlsoWhenTheyAreFull) {
  constexpr u64 kMany = (1 << 16) + 10;
  const auto tlb = std::make_unique<Tlb>();
  tlb->make_fast(GetParam());
  TlbSlot& slot = tlb->current();
  for (u64 page = 0; page < kMany * kPageSize; page += kPageSize) {
    TlbEntry& entry = slot.data[0][page / kPageSize % kTlbEntries];
    entry = {.read = page, .addend = kAddend, .page = page};
    slot.fill(0, page, entry);
  }
  unsigned known = 0;
  for (const TlbEntry& entry : slot.data[0]) {
    if (entry.read == TlbEntry::kNoPage) continue;
    ++known;
    EXPECT_EQ(FastTable::look_up(GetParam(), slot.fast->bases().reads[0], entry.read, entry.read),
              kAddend);
  }
  EXPECT_EQ(known, kMany % (1 << 16));
}

INSTANTIATE_TEST_SUITE_P(, FastTables_, testing::Values(TableKind::kFlat, TableKind::kHashed),
                         [](const auto& info) {
                           return info.param == TableKind::kFlat ? "Flat" : "Hashed";
                         });

}  // namespace
}  // namespace kite::tcg
