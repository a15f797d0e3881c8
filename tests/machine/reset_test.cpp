// Resets: who may ask, and what starts anew.
#include <array>

#include "tests/machine/run_fake.h"

namespace kite {
namespace {

using test::fake_config;
using test::FakeVcpu;
using test::run_fake;

struct Asker {
  const char* name;
  u16 port;
  std::vector<u8> values;
};
const std::array<Asker, 3> kAskers = {{
    {"the i8042", 0x64, {0xfe}},
    {"port 92h", 0x92, {0x01}},
    {"the reset register", 0xcf9, {0x02, 0x06}},
}};

TEST(Reset, EachSourceStartsTheBootProgramAgain) {
  for (const Asker& asker : kAskers) {
    Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
      if (vcpu.boots == 3) return FakeVcpu::halt(false);
      if (vcpu.runs == 1) {
        for (u8 value : asker.values) vcpu.out(asker.port, value);
      }
      return vcpu.spin();
    });
    EXPECT_EQ(outcome.kind, OutcomeKind::kDeadHalt) << asker.name << outcome.reason;
    EXPECT_EQ(outcome.resets, 2u) << asker.name;
  }
}

TEST(Reset, NoRebootEndsTheRunWith104) {
  MachineConfig config = fake_config();
  config.no_reboot = true;
  for (const Asker& asker : kAskers) {
    Outcome outcome = run_fake(config, [&](FakeVcpu& vcpu) -> Exit {
      for (u8 value : asker.values) vcpu.out(asker.port, value);
      return vcpu.spin();
    });
    EXPECT_EQ(outcome.status, 104) << asker.name;
    EXPECT_NE(outcome.reason.find(asker.name), std::string::npos) << outcome.reason;
  }
}

TEST(Reset, TheChipsAreResetAndTheImageIsLoadedAgain) {
  constexpr Gpa kSignature = 0x7c00 + 510;
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.runs != 1) return vcpu.spin();
    EXPECT_EQ(vcpu.in(0x3fb), 0u) << "the line control register of COM1";
    EXPECT_EQ(vcpu.memory().read_value(kSignature, 2), 0xaa55u);
    if (vcpu.boots == 2) {
      vcpu.out(0xf4, 0, 4);
      return vcpu.spin();
    }
    vcpu.out(0x3fb, 0x03);
    vcpu.memory().write_value(kSignature, 0, 2);
    vcpu.out(0xcf9, 0x06);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.status, 1);
}

TEST(Reset, AHaltedProcessorRunsAgainAfterAResetOfAnothersAsking) {
  // The request comes just before the HLT that would otherwise be for good.
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.boots == 2) {
      vcpu.out(0xf4, 1, 4);
      return vcpu.spin();
    }
    vcpu.out(0xcf9, 0x06);
    return FakeVcpu::halt(true);
  });
  EXPECT_EQ(outcome.status, 3);
}

TEST(Reset, AResetJustBeforeADeadHaltIsStillAReset) {
  Outcome outcome = run_fake([&](FakeVcpu& vcpu) -> Exit {
    if (vcpu.boots == 2) {
      vcpu.out(0xf4, 1, 4);
      return vcpu.spin();
    }
    vcpu.out(0x64, 0xfe);  // Linux: i8042 pulse, then cli; hlt
    return FakeVcpu::halt(false);
  });
  EXPECT_EQ(outcome.status, 3) << outcome.reason;
}

}  // namespace
}  // namespace kite
