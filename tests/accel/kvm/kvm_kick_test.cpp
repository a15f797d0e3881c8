// Coming out of a guest that runs for ever: kicks and deadlines.
#include <thread>

#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

class KvmKick : public KvmGuest {
 protected:
  void loop_for_ever() {
    put(kProgram, {0x90, 0xeb, 0xfd});  // nop; jmp $-1
    ASSERT_TRUE(vcpu->set_state(real_mode()));
  }
};

TEST_F(KvmKick, FromAnotherThreadEndsARunningGuest) {
  loop_for_ever();
  std::thread kicker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    vcpu->kick();
  });
  EXPECT_EQ(run().kind, Exit::Kind::kKicked);
  kicker.join();
}

TEST_F(KvmKick, BeforeRunEndsTheNextRunOnly) {
  loop_for_ever();
  vcpu->kick();
  EXPECT_EQ(run().kind, Exit::Kind::kKicked);
  EXPECT_EQ(run(20 * kMillisecond).kind, Exit::Kind::kDeadline);
}

TEST_F(KvmKick, IsNeverLostHoweverItFalls) {
  loop_for_ever();
  constexpr int kKicks = 300;
  std::atomic<int> handled{0};
  std::thread kicker([&] {
    for (int i = 0; i < kKicks; ++i) {
      vcpu->kick();
      while (handled.load() <= i) std::this_thread::yield();
    }
  });
  for (int i = 0; i < kKicks; ++i) {
    ASSERT_EQ(run().kind, Exit::Kind::kKicked) << i;
    ++handled;
  }
  kicker.join();
}

TEST_F(KvmKick, LeavesAGuestThatKeepsUsingItsPorts) {
  put(kProgram, {0xe6, 0x80, 0xeb, 0xfc});  // out 80h, al; jmp
  ASSERT_TRUE(vcpu->set_state(real_mode()));
  std::thread kicker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    vcpu->kick();
  });
  EXPECT_EQ(run().kind, Exit::Kind::kKicked);
  kicker.join();
  EXPECT_FALSE(port_recorder.seen.empty());
  // The access is complete: RIP is that of the next instruction.
  EXPECT_TRUE(vcpu->state().rip == kProgram || vcpu->state().rip == kProgram + 2);
}

TEST_F(KvmKick, ADeadlineEndsARunningGuest) {
  loop_for_ever();
  const Nanos start = clock.now();
  EXPECT_EQ(run(50 * kMillisecond).kind, Exit::Kind::kDeadline);
  EXPECT_GE(clock.now() - start, 50 * kMillisecond);
  EXPECT_LT(clock.now() - start, 10 * kSecond);
}

TEST_F(KvmKick, AnInterruptReachesARunningGuest) {
  put(4 * 0x20, {0x00, 0x20, 0, 0});
  put(0x2000, {0xfa, 0xf4});                // cli; hlt
  put(kProgram, {0xfb, 0x90, 0xeb, 0xfd});  // sti; nop; jmp $-1
  ASSERT_TRUE(vcpu->set_state(real_mode()));
  std::thread device([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    interrupts.waiting = 1;
    vcpu->signal(Signal::kInterrupt, 0);
  });
  EXPECT_EQ(run().kind, Exit::Kind::kHalted);
  device.join();
  EXPECT_EQ(interrupts.acknowledged, 1);
  EXPECT_EQ(vcpu->state().rip, 0x2002u);
}

}  // namespace
}  // namespace kite
