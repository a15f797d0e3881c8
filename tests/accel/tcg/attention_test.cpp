// What is wanted of a processor, and the word that translated code looks at.
#include "accel/tcg/attention.h"

#include <gtest/gtest.h>

#include <thread>

namespace kite::tcg {
namespace {

constexpr u64 kCalm = 0x1000;

class AttentionTest : public testing::Test {
 protected:
  AttentionTest() { attention_.set_calm(kCalm); }
  Attention attention_;
};

TEST_F(AttentionTest, TheWordIs0WhileAnythingIsWanted) {
  EXPECT_EQ(attention_.word(), kCalm);
  attention_ |= kAttendKick;
  attention_ |= kAttendNmi;
  EXPECT_EQ(attention_.word(), 0u);
  attention_ &= ~kAttendKick;
  EXPECT_EQ(attention_.word(), 0u);
  attention_ &= ~kAttendNmi;
  EXPECT_EQ(attention_.word(), kCalm);
}

TEST_F(AttentionTest, ANewWordWaitsUntilNothingIsWanted) {
  attention_ |= kAttendKick;
  attention_.set_calm(2 * kCalm);
  EXPECT_EQ(attention_.word(), 0u);
  EXPECT_EQ(attention_.take(), u32{kAttendKick});
  EXPECT_EQ(attention_.word(), 2 * kCalm);
}

TEST_F(AttentionTest, CountingIsNothingThatIsWanted) {
  attention_.count(true);
  EXPECT_EQ(attention_.word(), 0u);
  EXPECT_EQ(attention_, 0u);
  attention_ |= kAttendKick;
  EXPECT_EQ(attention_, kAttendKick);
  EXPECT_EQ(attention_.take(), u32{kAttendKick});
  attention_ &= 0;
  EXPECT_TRUE(attention_.counts());
  EXPECT_EQ(attention_.word(), 0u);
  attention_.count(false);
  EXPECT_EQ(attention_.word(), kCalm);
}

// Nobody looks at the bits unless the word says so. Who waits gives way: both may have one processor.
TEST_F(AttentionTest, WhatComesWhileAnotherIsTakenAwayIsSeen) {
  constexpr int kSignals = 100'000;
  std::atomic<int> seen{0};
  std::thread other([&] {
    for (int i = 0; i < kSignals; ++i) {
      attention_ |= kAttendNmi;
      while (seen.load() == i) std::this_thread::yield();
    }
  });
  for (unsigned i = 0; seen.load() < kSignals; ++i) {
    if (i % 64 == 0) std::this_thread::yield();
    attention_ |= kAttendKick;
    attention_ &= ~kAttendKick;
    if (attention_.word() != 0 || !(attention_ & kAttendNmi)) continue;
    attention_ &= ~kAttendNmi;
    ++seen;
  }
  other.join();
  attention_.settle();
  EXPECT_EQ(attention_.word(), kCalm);
}

}  // namespace
}  // namespace kite::tcg
