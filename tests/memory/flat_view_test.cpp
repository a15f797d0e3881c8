#include "memory/flat_view.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace kite {
namespace {

class NoRegisters : public IoHandler {
 public:
  u64 read(u64, unsigned) override { return 0; }
  void write(u64, u64, unsigned) override {}
};
NoRegisters no_registers;

std::shared_ptr<const Region> region(u64 size, std::string name = "r") {
  return Region::mmio(std::move(name), size, no_registers);
}

// What the rules say about one address, without any cleverness.
const Window* visible_at(const std::vector<Window>& windows, Gpa address) {
  const Window* best = nullptr;
  for (const Window& window : windows)
    if (address >= window.start && address - window.start < window.size &&
        (!best || window.priority >= best->priority))
      best = &window;
  return best;
}

void expect_well_formed(const FlatView& view) {
  const auto& ranges = view.ranges();
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    ASSERT_NE(ranges[i].size, 0u);
    ASSERT_LE(ranges[i].start, ranges[i].last());
    if (i == 0) continue;
    ASSERT_LT(ranges[i - 1].last(), ranges[i].start);
    const bool continues = ranges[i - 1].last() + 1 == ranges[i].start &&
                           ranges[i - 1].region == ranges[i].region &&
                           ranges[i - 1].offset + ranges[i - 1].size == ranges[i].offset;
    ASSERT_FALSE(continues) << "two ranges that are one";
  }
}

void expect_as_model(const std::vector<Window>& windows, const FlatView& view, Gpa address) {
  const Window* expected = visible_at(windows, address);
  const FlatRange* range = view.find(address);
  ASSERT_EQ(expected != nullptr, range != nullptr) << address;
  if (!range) return;
  ASSERT_EQ(range->region, expected->region) << address;
  ASSERT_EQ(range->offset + (address - range->start),
            expected->offset + (address - expected->start))
      << address;
}

TEST(FlatView, RandomWindowsShowWhatTheRulesSayAtEveryAddress) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    // Bases near 0, in the middle and at the very end of the 64-bit space.
    constexpr u64 kSpan = 64;
    const Gpa base = round % 3 == 0 ? 0 : round % 3 == 1 ? 0x7fff'ffff'ffff'ffe0 : u64{0} - kSpan;
    std::vector<std::shared_ptr<const Region>> regions;
    for (int i = 0; i < 3; ++i) regions.push_back(region(kSpan));
    std::vector<Window> windows;
    for (u64 i = random() % 12; i != 0; --i) {
      const u64 start = random() % kSpan;
      const u64 size = 1 + random() % (kSpan - start);
      const u64 offset = random() % (kSpan - size + 1);
      windows.push_back(
          {base + start, size, regions[random() % 3], offset, static_cast<int>(random() % 3) - 1});
    }
    const FlatView view = flatten(windows);
    expect_well_formed(view);
    for (u64 i = 0; i < kSpan; ++i) expect_as_model(windows, view, base + i);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST(FlatView, AWindowMayEndAtTheLastByteOfTheSpace) {
  const FlatView view = flatten({{~u64{0} - 0xfff, 0x1000, region(0x1000)}});
  ASSERT_EQ(view.ranges().size(), 1u);
  EXPECT_EQ(view.ranges()[0].last(), ~u64{0});
  EXPECT_NE(view.find(~u64{0}), nullptr);
  EXPECT_EQ(view.find(0), nullptr);
}

TEST(FlatView, AWindowBeyondTheEndOfTheSpaceIsCutAndDoesNotWrap) {
  const FlatView view = flatten({{~u64{0} - 0xff, 0x1000, region(0x1000)}});
  ASSERT_EQ(view.ranges().size(), 1u);
  EXPECT_EQ(view.ranges()[0].size, 0x100u);
  EXPECT_EQ(view.find(0), nullptr);
}

TEST(FlatView, AWindowLargerThanItsRegionIsCutAtTheRegionsEnd) {
  const FlatView view = flatten({{0x1000, 0x5000, region(0x1000), 0x800}});
  ASSERT_EQ(view.ranges().size(), 1u);
  EXPECT_EQ(view.ranges()[0].size, 0x800u);
}

TEST(FlatView, EmptyWindowsAndMissingRegionsShowNothing) {
  const FlatView view =
      flatten({{0, 0, region(16)}, {0, 16, nullptr}, {0, 16, region(16), 16}, {0, 16, region(0)}});
  EXPECT_TRUE(view.ranges().empty());
}

TEST(FlatView, TheWholeSpaceButOneByteIsOneRange) {
  const FlatView view = flatten({{0, ~u64{0}, region(~u64{0})}});
  ASSERT_EQ(view.ranges().size(), 1u);
  EXPECT_NE(view.find(~u64{0} - 1), nullptr);
  EXPECT_EQ(view.find(~u64{0}), nullptr);
}

TEST(FlatView, AHoleInRamSplitsItAndKeepsOffsets) {
  auto ram = region(0x10000);
  auto hole = region(0x1000);
  const FlatView view = flatten({{0, 0x10000, ram}, {0x4000, 0x1000, hole, 0, 1}});
  ASSERT_EQ(view.ranges().size(), 3u);
  EXPECT_EQ(view.ranges()[2].region, ram);
  EXPECT_EQ(view.ranges()[2].offset, 0x5000u);
}

TEST(FlatView, TwoWindowsThatContinueEachOtherAreOneRange) {
  auto ram = region(0x2000);
  const FlatView view = flatten({{0x1000, 0x1000, ram, 0x1000}, {0, 0x1000, ram, 0}});
  EXPECT_EQ(view.ranges().size(), 1u);
}

TEST(FlatView, TheGapReachesToTheNextRangeOrTheEndOfTheSpace) {
  const FlatView view = flatten({{0x1000, 0x1000, region(0x1000)}});
  EXPECT_EQ(view.gap(0), 0x1000u);
  EXPECT_EQ(view.gap(0xfff), 1u);
  EXPECT_EQ(view.gap(~u64{0}), 1u);
  EXPECT_EQ(FlatView().gap(0), ~u64{0});
}

}  // namespace
}  // namespace kite
