// HLT: what wakes a processor, and that nothing else does.
#include "tests/machine/run_fake.h"

namespace kite {
namespace {

using test::fake_config;
using test::FakeAccelerator;
using test::FakeVcpu;
using test::null_serial;
using test::run_fake;

// The 8259 pair: vectors from 20h and 28h, everything unmasked but what `mask` says.
void initialize_8259(FakeVcpu& vcpu, u8 mask) {
  for (auto [port, value] : std::initializer_list<std::pair<u16, u8>>{{0x20, 0x11},
                                                                      {0x21, 0x20},
                                                                      {0x21, 0x04},
                                                                      {0x21, 0x01},
                                                                      {0x21, mask},
                                                                      {0xa0, 0x11},
                                                                      {0xa1, 0x28},
                                                                      {0xa1, 0x02},
                                                                      {0xa1, 0x01},
                                                                      {0xa1, 0xff}}) {
    vcpu.out(port, value);
  }
}

// Counter 0 once, after 10 ms.
void start_8254(FakeVcpu& vcpu) {
  constexpr u16 kTenMilliseconds = 11932;
  vcpu.out(0x43, 0x30);  // mode 0: OUT rises at the end
  vcpu.out(0x40, kTenMilliseconds & 0xff);
  vcpu.out(0x40, kTenMilliseconds >> 8);
}

TEST(Halt, TheTimersInterruptThroughThe8259EndsIt) {
  u8 vector = 0;
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) {
      initialize_8259(vcpu, 0xfe);
      start_8254(vcpu);
      return FakeVcpu::halt(true);
    }
    EXPECT_TRUE(vcpu.interrupts().pending());
    vector = vcpu.interrupts().acknowledge().value_or(0);
    return FakeVcpu::halt(false);
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kDeadHalt) << outcome.reason;
  EXPECT_EQ(vector, 0x20);
  EXPECT_GE(outcome.duration, 9 * kMillisecond);
}

TEST(Halt, AMaskedInterruptDoesNotEndIt) {
  MachineConfig config = fake_config();
  config.timeout = 60 * kMillisecond;
  int runs = 0;
  Outcome outcome = run_fake(config, [&](FakeVcpu& vcpu) -> Exit {
    if (++runs == 1) {
      initialize_8259(vcpu, 0xff);
      start_8254(vcpu);
    }
    return FakeVcpu::halt(true);
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout);
  EXPECT_EQ(runs, 1);
}

TEST(Halt, AnInterruptThatCameBeforeTheHltIsNotLost) {
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) {
      initialize_8259(vcpu, 0xfe);
      start_8254(vcpu);
      while (!vcpu.interrupts().pending()) std::this_thread::yield();
      return FakeVcpu::halt(true);
    }
    vcpu.out(0xf4, 0, 4);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.status, 1) << outcome.reason;
}

TEST(Halt, TheLocalApicsPageIsTheProcessorsOwn) {
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    constexpr Gpa kVersion = 0xfee00030;
    EXPECT_EQ(vcpu.memory().read_value(kVersion, 4) & 0xff, 0x14u);
    return FakeVcpu::halt(false);
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kDeadHalt);
}

TEST(Halt, ANonMaskableInterruptEndsAHaltWithInterruptsOff) {
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    constexpr Gpa kSpurious = 0xfee000f0, kIcr = 0xfee00300;
    if (vcpu.runs == 1) {
      vcpu.memory().write_value(kSpurious, 0x1ff, 4);
      vcpu.memory().write_value(kIcr, 0x00084400, 4);  // NMI to all, itself included
      return FakeVcpu::halt(false);
    }
    EXPECT_EQ(vcpu.nmis(), 1);
    vcpu.out(0xf4, 0, 4);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.status, 1) << outcome.reason;
}

TEST(Halt, OfATripleFaultTheProcessorIsNamedAndItsRipIsTold) {
  MachineConfig config = fake_config();
  config.cpus = 2;
  const Outcome outcome = run_fake(config, [](FakeVcpu& vcpu) -> Exit {
    const bool first = vcpu.state_.mp_state != MpState::kWaitForSipi;
    vcpu.state_.rip = first ? 0x1000 : 0x2000;
    return first ? vcpu.spin() : Exit{Exit::Kind::kShutdown};
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kTripleFault);
  EXPECT_EQ(outcome.reason, "triple fault of vCPU 1");
  EXPECT_EQ(outcome.rip, 0x2000u);
}

TEST(Halt, WithoutAnInterruptControllerEveryHaltIsForGood) {
  MachineConfig config = fake_config();
  config.machine = "bare";
  Outcome outcome = run_fake(config, [](FakeVcpu&) -> Exit { return FakeVcpu::halt(true); });
  EXPECT_EQ(outcome.kind, OutcomeKind::kDeadHalt);
}

constexpr u8 kTimerVector = 0x55;

// The local APIC's timer once, after 5 ms.
void start_local_apic_timer(FakeVcpu& vcpu) {
  constexpr Gpa kSpurious = 0xfee000f0, kLvtTimer = 0xfee00320, kInitialCount = 0xfee00380,
                kDivide = 0xfee003e0;
  vcpu.memory().write_value(kSpurious, 0x1ff, 4);
  vcpu.memory().write_value(kDivide, 0xb, 4);
  vcpu.memory().write_value(kLvtTimer, kTimerVector, 4);
  vcpu.memory().write_value(kInitialCount, 5'000'000, 4);
}

TEST(Halt, TheLocalApicTimerEndsIt) {
  u8 vector = 0;
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) {
      start_local_apic_timer(vcpu);
      return FakeVcpu::halt(true);
    }
    vector = vcpu.interrupts().acknowledge().value_or(0);
    return FakeVcpu::halt(false);
  });
  EXPECT_EQ(vector, kTimerVector) << outcome.reason;
}

// Each of the loop's wake-ups costs an idle guest several system calls.
TEST(Halt, TheLocalApicTimerIsWaitedForWithoutTheLoop) {
  RealClock clock;
  Nanos loops_deadline = 0;
  int interrupts = 0;
  FakeAccelerator accelerator([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) loops_deadline = clock.next_deadline();
    EXPECT_EQ(clock.next_deadline(), loops_deadline);
    if (vcpu.interrupts().acknowledge() == kTimerVector) {
      vcpu.memory().write_value(0xfee000b0, 0, 4);  // EOI
      interrupts++;
    }
    if (interrupts == 3) {
      vcpu.out(0xf4, 0, 4);
      return FakeVcpu::halt(true);
    }
    start_local_apic_timer(vcpu);
    EXPECT_EQ(clock.next_deadline(), loops_deadline);
    return FakeVcpu::halt(true);
  });
  MachineOutside outside;
  outside.serial = &null_serial;
  outside.accelerators = accelerator.kinds();
  outside.clock = &clock;
  auto machine = Machine::create(fake_config(), outside);
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ((*machine)->run().status, 1);
  EXPECT_EQ(interrupts, 3);
}

TEST(Halt, TheLocalApicTimerInterruptsAGuestThatNeverHalts) {
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs == 1) start_local_apic_timer(vcpu);
    if (vcpu.interrupts().acknowledge() == kTimerVector) vcpu.out(0xf4, 0, 4);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.status, 1) << outcome.reason;
}

}  // namespace
}  // namespace kite
