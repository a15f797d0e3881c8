#include "base/bell.h"

#include <gtest/gtest.h>

#include <thread>

namespace kite {
namespace {

TEST(Bell, ARingBeforeTheWaitIsKeptAndCountsOnce) {
  Bell bell;
  bell.ring();
  bell.ring();
  EXPECT_TRUE(bell.wait(kNever));
  EXPECT_FALSE(bell.wait(0));
}

TEST(Bell, AWaitEndsWhenItsTimeHasRunOut) {
  Bell bell;
  EXPECT_FALSE(bell.wait(kMillisecond));
  EXPECT_FALSE(bell.wait(-kSecond));
}

// Were a ring lost, this would not end.
TEST(Bell, NoRingBetweenTwoThreadsIsLost) {
  constexpr int kRounds = 10'000;
  Bell there, back;
  std::thread other([&] {
    for (int i = 0; i < kRounds; ++i) {
      while (!there.wait(kNever)) {
      }
      back.ring();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    there.ring();
    while (!back.wait(i % 2 ? kNever : kNever - 1)) {
    }
  }
  other.join();
}

}  // namespace
}  // namespace kite
