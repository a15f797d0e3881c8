// Non-maskable interrupts (SDM 3A 6.7): how many wait, and for what.
#include "tests/accel/tcg/modes.h"

namespace kite {
namespace {

constexpr u8 kIncEax = 0x40, kIret = 0xcf;

class TcgNmi : public ModesTest {
 protected:
  TcgNmi() { gate(kNmiInterrupt, 0x8e, {kIncEax, kIret}); }
  // How many are taken until HLT, of as many that come before the processor looks.
  u64 taken_of(unsigned signals, Bytes code = {}) {
    code.push_back(kHlt);
    space_.write(kCode, code);
    EXPECT_TRUE(vcpu_->set_state(state_));
    for (unsigned i = 0; i < signals; ++i) vcpu_->signal(Signal::kNmi, 0);
    auto exit = vcpu_->run(kNever);
    EXPECT_TRUE(exit && exit->kind == Exit::Kind::kHalted);
    return vcpu_->state().gpr[kRax];
  }
};

TEST_F(TcgNmi, OneIsHandledAndOneWaitsBehindIt) {
  EXPECT_EQ(taken_of(0), 0u);
  EXPECT_EQ(taken_of(1), 1u);
  EXPECT_EQ(taken_of(2), 2u);
  EXPECT_EQ(taken_of(5), 2u);
}

TEST_F(TcgNmi, WhileTheyAreBlockedOneWaitsForIret) {
  state_.pending.nmi_blocked = true;
  EXPECT_EQ(taken_of(3), 0u);
  EXPECT_TRUE(vcpu_->state().pending.nmi);
  EXPECT_TRUE(vcpu_->state().pending.nmi_blocked);
  const Bytes iret = {0x9c, 0x6a, kCode0, 0x68, 9, kCode >> 8, 0, 0, kIret};  // to what follows
  EXPECT_EQ(taken_of(3, iret), 1u);
  EXPECT_FALSE(vcpu_->state().pending.nmi);
  EXPECT_FALSE(vcpu_->state().pending.nmi_blocked);
}

TEST_F(TcgNmi, IretUnblocksThemEvenIfItFaults) {
  state_.pending.nmi_blocked = true;
  gate(kGeneralProtection, 0x8e);
  EXPECT_EQ(taken_of(1, {0x9c, 0x6a, 0, 0x6a, 0, kIret}), 1u);  // CS is null
}

TEST_F(TcgNmi, OneThatIsSavedIsTakenWhenRestored) {
  state_.pending.nmi = true;
  EXPECT_EQ(taken_of(0), 1u);
}

TEST_F(TcgNmi, OneEndsAHalt) {
  EXPECT_EQ(taken_of(0, {kHlt}), 0u);
  vcpu_->signal(Signal::kNmi, 0);
  auto exit = vcpu_->run(kNever);
  EXPECT_TRUE(exit && exit->kind == Exit::Kind::kHalted);
  EXPECT_EQ(vcpu_->state().gpr[kRax], 1u);
  EXPECT_EQ(vcpu_->state().rip, kCode + 2);
}

}  // namespace
}  // namespace kite
