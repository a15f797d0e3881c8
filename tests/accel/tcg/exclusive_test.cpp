// The section in which one vCPU is alone.
#include "accel/tcg/exclusive.h"

#include <gtest/gtest.h>

#include <thread>

namespace kite::tcg {
namespace {

constexpr u32 kBit = 4;

// What a vCPU's loop does: work, and a safe point when asked.
class Runner {
 public:
  Runner(ExclusiveGate& gate, u64& unguarded) : gate_(gate), unguarded_(unguarded) {
    gate.join(attention_, kBit);
  }
  void run(int sections) {
    gate_.enter();
    for (int i = 0; i < sections; ++i) {
      {
        const ExclusiveSection alone(gate_);
        ++unguarded_;
      }
      for (int j = 0; j < 20; ++j) look_up();
    }
    gate_.leave();
  }

 private:
  void look_up() {
    if (!(attention_.load(std::memory_order_relaxed) & kBit)) return;
    attention_ &= ~kBit;
    gate_.safe_point();
  }

  ExclusiveGate& gate_;
  Attention attention_;
  u64& unguarded_;
};

TEST(ExclusiveGate, OnlyOneIsInside) {
  constexpr int kThreads = 4, kSections = 300;
  ExclusiveGate gate;
  u64 count = 0;
  std::vector<std::unique_ptr<Runner>> runners;
  for (int i = 0; i < kThreads; ++i) runners.push_back(std::make_unique<Runner>(gate, count));
  std::vector<std::thread> threads;
  for (auto& runner : runners) threads.emplace_back([&runner] { runner->run(kSections); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, u64{kThreads} * kSections);
}

TEST(ExclusiveGate, AProcessorThatIsAloneNeedsNoGate) {
  ExclusiveGate gate;
  Attention attention;
  gate.join(attention, kBit);
  gate.enter();
  { const ExclusiveSection alone(gate); }
  gate.leave();
  EXPECT_EQ(attention.load(), 0u);
}

}  // namespace
}  // namespace kite::tcg
