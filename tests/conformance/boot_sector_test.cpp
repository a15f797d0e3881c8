// Programs of less than a sector, in real mode, that need a whole machine: interrupts and time by a
// PC's oldest chips, a reset, and a HLT that nothing ends, with each set of interrupt controllers.
#include <gtest/gtest.h>

#include <algorithm>

#include "machine/machine.h"
#include "tests/conformance/set_ups.h"

namespace kite {
namespace {

// cli; segments and stack; the 8259 from vector 20h on with only IRQ 0 unmasked; gate 2 opened at
// port 61h and counter 2 given 16 pulses in mode 0; waits for its OUT at port 61h; counter 0 in
// mode 2; waits for IRQ 0. The first time that asks the i8042 for a reset, the second time for the
// end at the exit port.
constexpr u8 kTimersAndReset[] = {
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70,  // cli; ds = ss = 0; sp = 7000h
    0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21,              // ICW1 11h, ICW2 20h
    0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21,              // ICW3 4, ICW4 1
    0xb0, 0xfe, 0xe6, 0x21,                                      // OCW1
    0xb0, 0x03, 0xe6, 0x61, 0xb0, 0xb0, 0xe6, 0x43,              // port 61h; counter 2: mode 0
    0xb0, 0x10, 0xe6, 0x42, 0xb0, 0x00, 0xe6, 0x42,              // count 0010h
    0xe4, 0x61, 0xa8, 0x20, 0x74, 0xfa,                          // until bit 5 of port 61h is set
    0xc7, 0x06, 0x80, 0x00, 0x50, 0x7c,                          // mov word [80h], 7c50h
    0xc7, 0x06, 0x82, 0x00, 0x00, 0x00,                          // mov word [82h], 0
    0xb0, 0x34, 0xe6, 0x43, 0xb0, 0xe8, 0xe6, 0x40,              // counter 0: mode 2
    0xb0, 0x03, 0xe6, 0x40,                                      // count 03e8h
    0xfb, 0xf4, 0xeb, 0xfd,                                      // sti; hlt; jmp to it
    0x80, 0x3e, 0x00, 0x06, 0x5a, 0x74, 0x0c,                    // the handler: second time?
    0xc6, 0x06, 0x00, 0x06, 0x5a, 0xb0, 0xfe, 0xe6, 0x64,        // mov [600h], 5ah; FEh to port 64h
    0xf4, 0xeb, 0xfd,                                            // hlt; jmp to it
    0xb0, 0x00, 0xe6, 0xf4, 0xf4};                               // 0 to port f4h; hlt
// Interrupts on, but all masked.
constexpr u8 kIdle[] = {0xfa, 0xb0, 0xff, 0xe6, 0x21, 0xe6, 0xa1, 0xfb, 0xf4, 0xeb, 0xfd};
constexpr u8 kDead[] = {0xfa, 0xf4, 0xeb, 0xfd};

class BootSector : public testing::TestWithParam<std::string> {
 protected:
  Outcome run(std::span<const u8> program, Nanos timeout) {
    MachineConfig config;
    config.accel = GetParam();
    config.memory_size = 16 * MiB;
    config.kernel_image.assign(512, 0);
    std::ranges::copy(program, config.kernel_image.begin());
    config.kernel_image[510] = 0x55;
    config.kernel_image[511] = 0xaa;
    config.serial = {};
    config.timeout = timeout;
    auto machine = Machine::create(config);
    return machine ? (*machine)->run() : outcome_of(machine.error());
  }
};

#define SKIP_UNLESS_USABLE(outcome)                                  \
  if ((outcome).status == static_cast<int>(ErrorKind::kUnavailable)) \
  GTEST_SKIP() << (outcome).reason

TEST_P(BootSector, TicksAndPort61hWorkAlsoAfterAReset) {
  const Outcome outcome = run(kTimersAndReset, 60 * kSecond);
  SKIP_UNLESS_USABLE(outcome);
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << describe(outcome);
  EXPECT_EQ(outcome.resets, 1u);
}

TEST_P(BootSector, OneThatWaitsForAnInterruptIsNotDead) {
  const Outcome outcome = run(kIdle, 1500 * kMillisecond);
  SKIP_UNLESS_USABLE(outcome);
  EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout) << describe(outcome);
}

TEST_P(BootSector, OneThatHaltsWithInterruptsOffIsDead) {
  const Outcome outcome = run(kDead, 60 * kSecond);
  SKIP_UNLESS_USABLE(outcome);
  EXPECT_EQ(outcome.kind, OutcomeKind::kDeadHalt) << describe(outcome);
}

INSTANTIATE_TEST_SUITE_P(Every, BootSector, testing::ValuesIn(set_ups()),
                         [](const auto& info) { return name_of_set_up(info.param); });

}  // namespace
}  // namespace kite
