#include "base/notifier.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <thread>

namespace kite {
namespace {

bool readable(const Notifier& notifier) {
  pollfd one{notifier.fd(), POLLIN, 0};
  return ::poll(&one, 1, 0) == 1;
}

TEST(Notifier, CountsItsSignals) {
  auto notifier = Notifier::create();
  ASSERT_TRUE(notifier) << notifier.error().message;
  EXPECT_FALSE(readable(*notifier));
  EXPECT_EQ(notifier->take(), 0u);
  for (int i = 0; i < 5; ++i) notifier->signal();
  EXPECT_TRUE(readable(*notifier));
  EXPECT_EQ(notifier->take(), 5u);
  EXPECT_FALSE(readable(*notifier));
}

TEST(Notifier, IsSignalledByWhoWritesToItsDescriptor) {
  auto notifier = Notifier::create();
  ASSERT_TRUE(notifier);
  const u64 one = 1;
  ASSERT_EQ(::write(notifier->signal_fd(), &one, sizeof one), 8);
  EXPECT_EQ(notifier->take(), 1u);
}

TEST(Notifier, NeverBlocksWhoSignals) {
  auto notifier = Notifier::create();
  ASSERT_TRUE(notifier);
  for (int i = 0; i < 100'000; ++i) notifier->signal();  // more than a pipe holds
  EXPECT_GT(notifier->take(), 0u);
  EXPECT_EQ(notifier->take(), 0u);
}

TEST(Notifier, LosesNoSignalOfAnotherThread) {
  auto notifier = Notifier::create();
  ASSERT_TRUE(notifier);
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) notifier->signal();
  });
  u64 count = 0;
  while (count < 1000) count += notifier->take();
  other.join();
  EXPECT_EQ(count + notifier->take(), 1000u);
}

}  // namespace
}  // namespace kite
