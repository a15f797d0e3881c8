#include "memory/dirty_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace kite {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

alignas(kPageSize) u8 block[200 * kPageSize];

TEST(DirtyLog, IsOffUntilStarted) {
  DirtyLog log;
  log.mark(block, 1);
  EXPECT_FALSE(log.active());
  EXPECT_THAT(log.collect(), IsEmpty());
}

TEST(DirtyLog, BeginsCleanAndForgetsWhatWasCollected) {
  DirtyLog log;
  log.start(block, sizeof block);
  EXPECT_THAT(log.collect(), IsEmpty());
  log.mark(block + 3 * kPageSize - 1, 2);
  log.mark(block + 64 * kPageSize, 1);
  log.mark(block + sizeof block - 1, 1);
  EXPECT_THAT(log.collect(), ElementsAre(2, 3, 64, 199));
  EXPECT_THAT(log.collect(), IsEmpty());
}

TEST(DirtyLog, OnlyThePartInsideTheBlockCounts) {
  DirtyLog log;
  log.start(block + 4 * kPageSize, 4 * kPageSize);
  log.mark(block, 4 * kPageSize);
  log.mark(block + 8 * kPageSize, kPageSize);
  EXPECT_THAT(log.collect(), IsEmpty());
  log.mark(block, sizeof block);
  EXPECT_THAT(log.collect(), ElementsAre(0, 1, 2, 3));
  log.mark(block, 5 * kPageSize);
  EXPECT_THAT(log.collect(), ElementsAre(0));
}

TEST(DirtyLog, ABlockThatEndsInsideAPageCountsThatPage) {
  DirtyLog log;
  log.start(block, kPageSize + 1);
  log.mark(block + kPageSize, 1);
  EXPECT_THAT(log.collect(), ElementsAre(1));
}

// Writes down what it is told, and has written the second page.
struct Source : DirtySource {
  void dirty_log_started() override { told += "started "; }
  void dirty_log_stopped() override { told += "stopped "; }
  void collect_dirty(DirtyLog& log) override {
    told += "collect ";
    log.mark(block + kPageSize, 1);
  }
  std::string told;
};

TEST(DirtyLog, SourcesContributeWhenAsked) {
  DirtyLog log;
  Source source;
  log.add_source(source);
  EXPECT_EQ(source.told, "");
  log.start(block, sizeof block);
  EXPECT_THAT(log.collect(), ElementsAre(1));
  log.stop();
  log.stop();
  EXPECT_EQ(source.told, "started collect stopped ");
}

TEST(DirtyLog, ASourceThatComesAndGoesWhileLoggingIsToldAndAsked) {
  DirtyLog log;
  log.start(block, sizeof block);
  Source source;
  log.add_source(source);
  log.remove_source(source);
  log.remove_source(source);
  EXPECT_EQ(source.told, "started collect stopped ");
  EXPECT_THAT(log.collect(), ElementsAre(1));
}

TEST(DirtyLog, StartingAnActiveLogAnewForgetsWhatSourcesKnew) {
  DirtyLog log;
  Source source;
  log.add_source(source);
  log.start(block, sizeof block);
  log.mark(block, 1);
  log.start(block + kPageSize, kPageSize);
  EXPECT_EQ(source.told, "started stopped started ");
  EXPECT_THAT(log.collect(), ElementsAre(0));  // the source's page, now the block's first
}

TEST(DirtyLog, TheEpochMovesAtStartStopAndCollect) {
  DirtyLog log;
  u64 epoch = log.epoch();
  log.start(block, sizeof block);
  EXPECT_NE(log.epoch(), std::exchange(epoch, log.epoch()));
  log.collect();
  EXPECT_NE(log.epoch(), std::exchange(epoch, log.epoch()));
  log.stop();
  EXPECT_NE(log.epoch(), epoch);
  EXPECT_FALSE(log.active());
}

TEST(DirtyLog, NoMarkIsLostBetweenWritersAndACollector) {
  DirtyLog log;
  log.start(block, sizeof block);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int page = 0; page < 200; ++page) log.mark(block + page * kPageSize, 1);
    done = true;
  });
  std::vector<u64> all;
  auto take = [&] {
    for (u64 page : log.collect()) all.push_back(page);
  };
  while (!done) take();
  writer.join();
  take();
  EXPECT_EQ(all.size(), 200u);
}

TEST(DirtyLog, MayBeStoppedWhileOthersMark) {
  DirtyLog log;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) log.mark(block, sizeof block);
  });
  for (int i = 0; i < 200; ++i) {
    log.start(block, sizeof block);
    log.stop();
  }
  done = true;
  writer.join();
}

}  // namespace
}  // namespace kite
