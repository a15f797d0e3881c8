// How runs end: one guest per ending.
#include <csignal>
#include <thread>

#include "tests/machine/run_fake.h"

namespace kite {
namespace {

using test::fake_config;
using test::FakeVcpu;
using test::run_fake;

constexpr u16 kPm1Control = 0x604;
constexpr u16 kPowerOff = 5 << 10 | 1 << 13;  // SLP_TYP of S5, SLP_EN

TEST(Outcome, PowerOffThroughAcpiIsStatus0) {
  Outcome outcome = run_fake([](FakeVcpu& vcpu) -> Exit {
    vcpu.out(kPm1Control, kPowerOff, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kPowerOff) << outcome.reason;
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.normal());
}

TEST(Outcome, TheExitPortChoosesTheStatus) {
  Outcome outcome = run_fake([](FakeVcpu& vcpu) -> Exit {
    vcpu.out(0xf4, 3, 4);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue);
  EXPECT_EQ(outcome.status, 7);
}

TEST(Outcome, ATripleFaultEndsTheRunAtOnceWithItsRip) {
  Outcome outcome = run_fake([](FakeVcpu& vcpu) -> Exit {
    vcpu.print("last words\r\n");
    vcpu.state_.rip = 0xffffffff81000042;
    return Exit{Exit::Kind::kShutdown, false};
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kTripleFault);
  EXPECT_EQ(outcome.status, 101);
  EXPECT_EQ(outcome.last_console_line, "last words");
  EXPECT_EQ(outcome.rip, 0xffffffff81000042);
  EXPECT_EQ(describe(outcome),
            "triple fault; rip 0xffffffff81000042; last console line: last words");
  EXPECT_LT(outcome.duration, 10 * kSecond);
}

TEST(Outcome, HaltWithInterruptsOffIsADeadHaltAtOnce) {
  Outcome outcome = run_fake([](FakeVcpu&) -> Exit { return FakeVcpu::halt(false); });
  EXPECT_EQ(outcome.kind, OutcomeKind::kDeadHalt);
  EXPECT_EQ(outcome.status, 103);
  EXPECT_LT(outcome.duration, 10 * kSecond);
}

TEST(Outcome, HaltWithInterruptsOnSleepsUntilTheTimeout) {
  MachineConfig config = fake_config();
  config.timeout = 50 * kMillisecond;
  int runs = 0;
  Outcome outcome = run_fake(config, [&](FakeVcpu&) -> Exit {
    runs++;
    return FakeVcpu::halt(true);
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout);
  EXPECT_EQ(outcome.status, 102);
  EXPECT_EQ(runs, 1) << "an idle guest must not burn the host's CPU";
}

TEST(Outcome, AnEndlessLoopEndsAtTheTimeout) {
  MachineConfig config = fake_config();
  config.timeout = 50 * kMillisecond;
  Outcome outcome = run_fake(config, [](FakeVcpu& vcpu) -> Exit { return vcpu.spin(); });
  EXPECT_EQ(outcome.status, 102);
  EXPECT_GE(outcome.duration, 50 * kMillisecond);
  EXPECT_EQ(outcome.reason, "timeout: the 0.05 s allowed have passed");
}

TEST(Outcome, PvpanicIsAPanicAtOnce) {
  Outcome outcome = run_fake([](FakeVcpu& vcpu) -> Exit {
    EXPECT_EQ(vcpu.in(0x505) & 1, 1u);
    vcpu.out(0x505, 1);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.status, 100);
}

TEST(Outcome, APanicOnTheConsoleCountsMoreThanThePowerOffAfterIt) {
  Outcome outcome = run_fake([](FakeVcpu& vcpu) -> Exit {
    vcpu.print("[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n");
    vcpu.print("[    1.0] CPU: 0 PID: 1\r\n");
    vcpu.out(kPm1Control, kPowerOff, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kPanic);
  EXPECT_EQ(outcome.status, 100);
  ASSERT_EQ(outcome.panic_lines.size(), 2u);
  EXPECT_EQ(outcome.panic_lines[1], "[    1.0] CPU: 0 PID: 1");
}

TEST(Outcome, APanicWithItsEndMarkerIsNotWaitedFor) {
  Outcome outcome = run_fake([](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) {
      vcpu.print("Kernel panic - not syncing: oops\r\n");
      vcpu.print("---[ end Kernel panic - not syncing: oops ]---\r\n");
    }
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.status, 100);
  EXPECT_LT(outcome.duration, kSecond) << "the time allowed for a trace";
}

TEST(Outcome, APanicWithoutAnEndIsGivenASecondForItsTrace) {
  Outcome outcome = run_fake([](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) vcpu.print("Kernel panic - not syncing: oops\r\n");
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.status, 100);
  EXPECT_LT(outcome.duration, 10 * kSecond);
}

TEST(Outcome, APanickedKernelThatResetsHasPanicked) {
  Outcome outcome = run_fake([](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) {
      vcpu.print("Kernel panic - not syncing: oops\r\n");
      vcpu.out(0x64, 0xfe);
    }
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.status, 100);
  EXPECT_EQ(outcome.resets, 0u);
}

TEST(Outcome, EverythingExpectedEndsTheRunWith0InAnyOrder) {
  MachineConfig config = fake_config();
  config.expect = {"second [0-9]+$", "^first"};
  Outcome outcome = run_fake(config, [](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) vcpu.print("first\r\nsecond 22\r\n");
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExpected);
  EXPECT_EQ(outcome.status, 0);
}

TEST(Outcome, APromptWithoutALineEndIsSeen) {
  MachineConfig config = fake_config();
  config.expect = {"login: "};
  Outcome outcome = run_fake(config, [](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) vcpu.print("debian login: ");
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExpected);
}

TEST(Outcome, PowerOffBeforeTheExpectedIsNoSuccess) {
  MachineConfig config = fake_config();
  config.expect = {"never"};
  Outcome outcome = run_fake(config, [](FakeVcpu& vcpu) -> Exit {
    vcpu.out(kPm1Control, kPowerOff, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kNotExpected);
  EXPECT_EQ(outcome.status, 107);
  EXPECT_FALSE(outcome.normal());
}

TEST(Outcome, FailOnEndsTheRunWith106EvenIfThePowerOffFollowsAtOnce) {
  MachineConfig config = fake_config();
  config.fail_on = {"BUG:"};
  Outcome outcome = run_fake(config, [](FakeVcpu& vcpu) -> Exit {
    vcpu.print("[ 1.0] BUG: unable to handle\r\n");
    vcpu.out(kPm1Control, kPowerOff, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kFailOn);
  EXPECT_EQ(outcome.status, 106);
}

TEST(Outcome, AFailingAcceleratorIsAHostError) {
  Outcome outcome = run_fake(
      [](FakeVcpu&) -> Result<Exit> { return fail(ErrorKind::kInternal, "the engine broke"); });
  EXPECT_EQ(outcome.kind, OutcomeKind::kHostError);
  EXPECT_EQ(outcome.status, 70);
  EXPECT_EQ(outcome.reason, "the engine broke");
}

TEST(Outcome, ASignalEndsTheRunWith128MoreThanItsNumber) {
  test::FakeAccelerator accelerator([](FakeVcpu& vcpu) -> Exit { return vcpu.spin(); });
  auto machine = test::create_fake(fake_config(), accelerator);
  ASSERT_TRUE(machine);
  std::thread other([&] { (*machine)->request_stop(SIGTERM); });
  Outcome outcome = (*machine)->run();
  other.join();
  EXPECT_EQ(outcome.kind, OutcomeKind::kInterrupted);
  EXPECT_EQ(outcome.status, 143);
  EXPECT_EQ(outcome.reason, "interrupted by SIGTERM");
}

TEST(Outcome, AUserWhoLeavesIsNoFailure) {
  test::FakeAccelerator accelerator([](FakeVcpu& vcpu) -> Exit { return vcpu.spin(); });
  auto machine = test::create_fake(fake_config(), accelerator);
  ASSERT_TRUE(machine);
  (*machine)->request_stop(0);
  EXPECT_EQ((*machine)->run().status, 0);
}

TEST(Outcome, SaysWhichAcceleratorRanAndHowMuch) {
  Outcome outcome = run_fake([](FakeVcpu&) -> Exit { return FakeVcpu::halt(false); });
  EXPECT_EQ(outcome.accelerator, "tcg");
  EXPECT_EQ(outcome.accelerator_reason, "--accel tcg");
  EXPECT_EQ(outcome.instructions, 4711u);
}

}  // namespace
}  // namespace kite
