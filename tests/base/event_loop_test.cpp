#include "base/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace kite {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  void put() { EXPECT_EQ(::write(write_end.get(), "x", 1), 1); }
  void take() {
    char byte;
    EXPECT_EQ(::read(read_end.get(), &byte, 1), 1);
  }
  UniqueFd read_end, write_end;
};

struct EventLoopTest : ::testing::Test {
  RealClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
};

TEST_F(EventLoopTest, AStopBeforeRunMakesRunReturnAtOnce) {
  loop->stop();
  loop->run();
}

TEST_F(EventLoopTest, APostFromAnotherThreadRunsOnTheLoopsThread) {
  std::thread::id where;
  std::thread poster([&] {
    loop->post([&] {
      where = std::this_thread::get_id();
      loop->stop();
    });
  });
  loop->run();
  poster.join();
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST_F(EventLoopTest, AReadableDescriptorCallsItsWatch) {
  Pipe pipe;
  short got = 0;
  loop->watch(pipe.read_end.get(), POLLIN, [&](short revents) {
    got = revents;
    loop->stop();
  });
  pipe.put();
  loop->run();
  EXPECT_TRUE(got & POLLIN);
}

TEST_F(EventLoopTest, AWatchMayRemoveItselfAndOthersWhileItRuns) {
  Pipe first, second;
  int calls = 0;
  auto ready = [&](short) {
    calls++;
    loop->unwatch(first.read_end.get());
    loop->unwatch(second.read_end.get());
    loop->post([&] { loop->stop(); });
  };
  loop->watch(first.read_end.get(), POLLIN, ready);
  loop->watch(second.read_end.get(), POLLIN, ready);
  first.put();
  second.put();
  loop->run();
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, AClosedDescriptorIsToldOnceAndForgotten) {
  Pipe pipe;
  int fd = pipe.read_end.get();
  int calls = 0;
  loop->watch(fd, POLLIN, [&](short revents) {
    EXPECT_TRUE(revents & POLLNVAL);
    calls++;
  });
  pipe.read_end.reset();
  Timer timer(clock, [&] { loop->stop(); });
  timer.arm(clock.now() + 20 * kMillisecond);
  loop->run();
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ATimerArmedByAnotherThreadShortensTheWait) {
  Timer timer(clock, [&] { loop->stop(); });
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    timer.arm(clock.now() + kMillisecond);
  });
  loop->run();  // would wait for ever without the wake-up
  other.join();
}

TEST_F(EventLoopTest, TimersAreNotRoundedToWholeMilliseconds) {
  Nanos best = kNever;  // other work on the host may slow down some rounds
  for (int round = 0; round < 20; round++) {
    int ticks = 0;
    const Nanos start = clock.now();
    std::unique_ptr<Timer> timer;
    timer = std::make_unique<Timer>(clock, [&] {
      if (++ticks == 10) return loop->stop();
      timer->arm(clock.now() + 100 * kMicrosecond);
    });
    timer->arm(start);
    loop->run();
    best = std::min(best, clock.now() - start);
  }
  EXPECT_LT(best, 9 * kMillisecond);
}

// The loop does not wake itself by its pipe: it looks before it waits.
TEST_F(EventLoopTest, WhatTheLoopPostsOrArmsItselfIsNotForgotten) {
  Timer last(clock, [&] { loop->stop(); });
  Timer second(clock, [&] { loop->post([&] { last.arm(clock.now()); }); });
  Timer first(clock, [&] { second.arm(clock.now() + kMicrosecond); });
  loop->post([&] { loop->post([&] { first.arm(clock.now()); }); });
  loop->run();  // would wait for ever
}

TEST_F(EventLoopTest, OnlyItsOwnPipeIsMadeNonBlocking) {
  Pipe pipe;
  loop->watch(pipe.read_end.get(), POLLIN, [&](short) {
    pipe.take();
    loop->stop();
  });
  pipe.put();
  loop->run();
  EXPECT_EQ(::fcntl(pipe.read_end.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(EventLoopTest, ManyWakeUpsNeverBlockTheCaller) {
  for (int i = 0; i < 200000; i++) loop->stop();
  loop->run();
}

}  // namespace
}  // namespace kite
