// Suspend to RAM (ACPI S3): what stops, what wakes, and what is still there afterwards.
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/machine/run_fake.h"

namespace kite::test {
namespace {

constexpr u16 kPm1Event = 0x600, kPm1Enable = 0x602, kPm1Control = 0x604;
constexpr u16 kRtcEvent = 1 << 10, kWakeStatus = 1 << 15;
constexpr u16 kSuspend = 0x2400;  // SLP_EN, SLP_TYP 1

class Sleep : public testing::Test {
 protected:
  Sleep() : path_(testing::TempDir() + "kite-sleep-" + std::to_string(::getpid())) {
    std::ofstream(path_, std::ios::binary) << std::string(64 * KiB, '\x5f');
  }
  ~Sleep() override { std::filesystem::remove(path_); }

  MachineConfig with_firmware() const {
    MachineConfig config = fake_config();
    config.machine = "pc";
    config.kernel_image.clear();
    config.firmware = path_;
    return config;
  }
  static void cmos(FakeVcpu& vcpu, u8 index, u8 value) {
    vcpu.out(0x70, index);
    vcpu.out(0x71, value);
  }
  static u32 cmos(FakeVcpu& vcpu, u8 index) {
    vcpu.out(0x70, index);
    return vcpu.in(0x71);
  }
  // An alarm in every second, which may wake.
  static void set_alarm(FakeVcpu& vcpu) {
    for (const u8 index : {1, 3, 5}) cmos(vcpu, index, 0xc0);
    cmos(vcpu, 0x0b, 0x22);
    vcpu.out(kPm1Enable, kRtcEvent, 2);
  }
  static Exit end(FakeVcpu& vcpu) {
    vcpu.out(0xf4, 0);
    return vcpu.spin();
  }
  std::string path_;
};

TEST_F(Sleep, AnAlarmWakesTheFirmwareAndRamStaysInPlaceOfTheRom) {
  int boots = 0;
  const Outcome outcome = run_fake(with_firmware(), [&](FakeVcpu& vcpu) -> Exit {
    boots = vcpu.boots;
    AddressSpace& memory = vcpu.memory();
    if (vcpu.boots == 2) {
      EXPECT_EQ(vcpu.state_.rip, 0xfff0u);
      EXPECT_EQ(vcpu.state_.segments[kCs].base, 0xffff0000u);
      EXPECT_EQ(cmos(vcpu, 0x0f), 0xfeu);
      EXPECT_EQ(memory.read_value(0xf0000, 1), 0x12u);
      EXPECT_EQ(memory.read_value(0x5000, 1), 0xabu);
      EXPECT_EQ(vcpu.in(kPm1Event, 2), u32{kWakeStatus} | kRtcEvent);
      EXPECT_EQ(vcpu.in(kPm1Enable, 2), 0u);
      EXPECT_EQ(vcpu.in(0x3fb), 0u) << "COM1 was reset";
      return end(vcpu);
    }
    EXPECT_NE(cmos(vcpu, 0x0f), 0xfeu);
    vcpu.out(0xcf8, 0x80000058, 4);
    vcpu.out(0xcfd, 0x30, 1);  // PAM0: RAM at F0000h
    memory.write_value(0xf0000, 0x12, 1);
    memory.write_value(0x5000, 0xab, 1);
    vcpu.out(0x3fb, 3);
    set_alarm(vcpu);
    vcpu.out(kPm1Control, kSuspend, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << outcome.reason;
  EXPECT_EQ(boots, 2);
  EXPECT_EQ(outcome.resets, 0u) << "a wake-up is not a reset";
}

// What a guest executes behind the access would find its memory changed.
TEST_F(Sleep, TheVcpuThatAskedRunsNoMore) {
  std::atomic<int> runs_after{0};
  run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.boots == 2) return end(vcpu);
    if (vcpu.runs > 1) ++runs_after;
    set_alarm(vcpu);
    vcpu.out(kPm1Control, kSuspend, 2);
    return {Exit::Kind::kKicked};  // at once, long before the loop has heard of it
  });
  EXPECT_EQ(runs_after, 0);
}

TEST_F(Sleep, WithoutFirmwareTheGuestGoesOnAtItsWakingVector) {
  for (const char* board : {"microvm", "pc"}) {
    MachineConfig config = fake_config();
    config.machine = board;
    const Outcome outcome = run_fake(config, [&](FakeVcpu& vcpu) -> Exit {
      if (vcpu.boots == 2) {
        EXPECT_EQ(vcpu.state_.segments[kCs].selector, 0x9a00u);
        EXPECT_EQ(vcpu.state_.segments[kCs].base, 0x9a000u);
        EXPECT_EQ(vcpu.state_.rip, 4u);
        EXPECT_EQ(vcpu.state_.cr0 & 1, 0u);
        EXPECT_EQ(vcpu.memory().read_value(0x7c00, 1), 0x77u) << "the image was loaded again";
        return end(vcpu);
      }
      constexpr Gpa kFacs = 0xe0040;
      EXPECT_EQ(vcpu.memory().read_value(kFacs, 4), 0x53434146u);
      vcpu.memory().write_value(kFacs + 12, 0x9a004, 4);
      vcpu.memory().write_value(0x7c00, 0x77, 1);
      set_alarm(vcpu);
      vcpu.out(kPm1Control, kSuspend, 2);
      return vcpu.spin();
    });
    EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << board << ": " << outcome.reason;
  }
}

TEST_F(Sleep, AGuestThatSaysNotWhereToWakeBootsAnew) {
  run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.boots == 2) {
      EXPECT_EQ(vcpu.state_.rip, 0x7c00u);
      return end(vcpu);
    }
    set_alarm(vcpu);
    vcpu.out(kPm1Control, kSuspend, 2);
    return vcpu.spin();
  });
}

TEST_F(Sleep, TheOtherProcessorsStopAndThenWaitForSipi) {
  MachineConfig config = fake_config();
  config.cpus = 2;
  std::atomic<int> boots_of_second{0};
  const Outcome outcome = run_fake(config, [&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.state_.mp_state == MpState::kWaitForSipi) {
      boots_of_second = vcpu.boots;
      return vcpu.spin();
    }
    if (vcpu.boots == 2) {
      while (boots_of_second != 2) std::this_thread::yield();
      return end(vcpu);
    }
    set_alarm(vcpu);
    vcpu.out(kPm1Control, kSuspend, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << outcome.reason;
}

TEST_F(Sleep, NothingWakesAGuestThatHasEnabledNothing) {
  MachineConfig config = fake_config();
  config.timeout = 1500 * kMillisecond;
  const Outcome outcome = run_fake(config, [&](FakeVcpu& vcpu) -> Exit {
    EXPECT_EQ(vcpu.boots, 1);
    set_alarm(vcpu);
    vcpu.out(kPm1Enable, 0, 2);
    vcpu.out(kPm1Control, kSuspend, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout) << outcome.reason;
}

// Whoever sleeps with its interrupts off is not dead.
TEST_F(Sleep, AHaltedProcessorBesideItDoesNotEndTheRun) {
  MachineConfig config = fake_config();
  config.cpus = 2;
  const Outcome outcome = run_fake(config, [&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.state_.mp_state == MpState::kWaitForSipi) return FakeVcpu::halt(false);
    if (vcpu.boots == 2) return end(vcpu);
    set_alarm(vcpu);
    vcpu.out(kPm1Control, kSuspend, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << outcome.reason;
}

}  // namespace
}  // namespace kite::test
