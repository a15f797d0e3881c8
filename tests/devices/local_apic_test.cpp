#include "devices/irq/local_apic.h"

#include <gtest/gtest.h>

#include "tests/devices/local_apic_fixture.h"

namespace kite {
namespace {

using test::LocalApicTest;

TEST_F(LocalApicTest, StandsAfterResetAsTheManualSays) {
  // SDM 3A 11.4.7.1.
  EXPECT_EQ(get(0x20), 0u);
  EXPECT_EQ(get(0x30), 0x01060014u);
  EXPECT_EQ(get(0xE0), 0xFFFFFFFFu);
  EXPECT_EQ(get(0xF0), 0xFFu);
  for (u64 lvt : {0x2F0, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370}) EXPECT_EQ(get(lvt), 0x10000u);
  EXPECT_EQ(msr(0x1B), 0xFEE00900u);
  EXPECT_FALSE(apic.pending());
}

TEST_F(LocalApicTest, AFixedInterruptGoesFromIrrToIsrAndEndsWithEoi) {
  enable();
  EXPECT_TRUE(send(0x41));
  EXPECT_TRUE(apic.pending());
  EXPECT_EQ(wiring.changes, 1);
  EXPECT_EQ(get(0x220), 1u << 1);
  EXPECT_EQ(apic.acknowledge(), 0x41);
  EXPECT_FALSE(apic.pending());
  EXPECT_EQ(get(0x220), 0u);
  EXPECT_EQ(get(0x120), 1u << 1);
  EXPECT_EQ(get(0xA0), 0x40u);
  set(0xB0, 0);
  EXPECT_EQ(get(0x120), 0u);
  EXPECT_EQ(apic.acknowledge(), std::nullopt);
}

TEST_F(LocalApicTest, SoftwareDisabledTurnsFixedInterruptsAwayButNotNmiInitAndSipi) {
  EXPECT_FALSE(send(0x41));
  EXPECT_TRUE(send(0, DeliveryMode::kNmi));
  EXPECT_TRUE(send(0, DeliveryMode::kInit));
  EXPECT_TRUE(send(0x9A, DeliveryMode::kStartUp));
  EXPECT_EQ(wiring.nmis, 1);
  EXPECT_EQ(wiring.inits, 1);
  EXPECT_EQ(wiring.start_ups, std::vector<u8>{0x9A});
}

TEST_F(LocalApicTest, SoftwareDisablingMasksTheLvtAndKeepsWhatWaits) {
  enable();
  set(0x320, 0x50);
  send(0x41);
  set(0xF0, 0xFF);
  EXPECT_EQ(get(0x320), 0x10050u);
  set(0x320, 0x51);
  EXPECT_EQ(get(0x320), 0x10051u);
  EXPECT_EQ(apic.acknowledge(), 0x41);
}

TEST_F(LocalApicTest, AHigherClassInterruptsALowerOneAndTheSameClassWaits) {
  enable();
  send(0x41);
  EXPECT_EQ(apic.acknowledge(), 0x41);
  send(0x4F);
  EXPECT_FALSE(apic.pending());
  send(0x51);
  EXPECT_EQ(apic.acknowledge(), 0x51);
  set(0xB0, 0);
  EXPECT_FALSE(apic.pending());
  set(0xB0, 0);
  EXPECT_EQ(apic.acknowledge(), 0x4F);
}

TEST_F(LocalApicTest, TheTaskPriorityHoldsBackItsClassAndThoseBelow) {
  enable();
  set(0x80, 0x4C);
  EXPECT_EQ(apic.cr8(), 4);
  EXPECT_EQ(get(0xA0), 0x4Cu);
  send(0x4F);
  EXPECT_FALSE(apic.pending());
  EXPECT_EQ(apic.acknowledge(), std::nullopt);
  const int before = wiring.changes;
  apic.set_cr8(3);
  EXPECT_TRUE(apic.pending());
  EXPECT_GT(wiring.changes, before);
  EXPECT_EQ(get(0x80), 0x30u);
  EXPECT_EQ(apic.acknowledge(), 0x4F);
}

TEST_F(LocalApicTest, TheEoiOfALevelInterruptIsBroadcastAndThatOfAnEdgeIsNot) {
  enable();
  send(0x41, DeliveryMode::kFixed, true);
  send(0x51);
  EXPECT_EQ(get(0x1A0), 1u << 1);
  apic.acknowledge();
  set(0xB0, 0);
  EXPECT_TRUE(wiring.ended.empty());
  apic.acknowledge();
  set(0xB0, 0);
  EXPECT_EQ(wiring.ended, std::vector<u8>{0x41});
}

TEST_F(LocalApicTest, TheEoiBroadcastCanBeSuppressed) {
  enable();
  set(0xF0, 0x11FF);
  send(0x41, DeliveryMode::kFixed, true);
  apic.acknowledge();
  set(0xB0, 0);
  EXPECT_TRUE(wiring.ended.empty());
}

TEST_F(LocalApicTest, AnEoiWithNothingInServiceDoesNothing) {
  enable();
  set(0xB0, 0);
  EXPECT_TRUE(wiring.ended.empty());
}

TEST_F(LocalApicTest, AnIllegalVectorIsAnErrorThatTheErrorInterruptTells) {
  enable();
  set(0x370, 0x60);
  EXPECT_FALSE(send(0x0F));
  EXPECT_EQ(get(0x280), 0u);
  set(0x280, 0);
  EXPECT_EQ(get(0x280), 0x40u);
  EXPECT_EQ(apic.acknowledge(), 0x60);
  set(0x280, 0);
  EXPECT_EQ(get(0x280), 0u);
}

TEST_F(LocalApicTest, AnErrorInterruptWithAnIllegalVectorIsNotAnEndlessOne) {
  enable();
  set(0x370, 0x05);
  EXPECT_FALSE(send(0x0F));
  set(0x280, 0);
  EXPECT_EQ(get(0x280), 0x40u);
  EXPECT_FALSE(apic.pending());
}

TEST_F(LocalApicTest, RegistersThatDoNotExistReadZeroAndSetTheErrorBit) {
  enable();
  EXPECT_EQ(get(0x290), 0u);
  set(0x280, 0);
  EXPECT_EQ(get(0x280), 0x80u);
}

TEST_F(LocalApicTest, PartsOfARegisterAreReadAndOnlyWholeOnesWritten) {
  EXPECT_EQ(apic.read(0x32, 2), 0x0106u);
  EXPECT_EQ(apic.read(0x34, 4), 0u);
  apic.write(0x80, 0xFF, 1);
  apic.write(0x84, 0xFF, 4);
  EXPECT_EQ(get(0x80), 0u);
}

TEST_F(LocalApicTest, Lint0InExtintModePassesThe8259sIntr) {
  apic.enter_virtual_wire_mode();
  apic.set_lint(0, true);
  EXPECT_TRUE(apic.pending());
  wiring.external = 0x08;
  EXPECT_EQ(apic.acknowledge(), 0x08);
  apic.set_lint(0, false);
  EXPECT_FALSE(apic.pending());
  EXPECT_EQ(get(0x100), 0u);  // not in the ISR: no EOI
}

TEST_F(LocalApicTest, TheTaskPriorityDoesNotHoldBackThe8259) {
  apic.enter_virtual_wire_mode();
  apic.set_cr8(15);
  apic.set_lint(0, true);
  EXPECT_TRUE(apic.pending());
}

TEST_F(LocalApicTest, UnmaskingLint0ShowsAnIntrThatIsUpAlready) {
  enable();
  apic.set_lint(0, true);
  EXPECT_FALSE(apic.pending());
  set(0x350, 0x700);
  EXPECT_TRUE(apic.pending());
  set(0x350, 0x10700);
  EXPECT_FALSE(apic.pending());
}

TEST_F(LocalApicTest, HardwareDisabledThePinsAreIntrAndNmi) {
  EXPECT_TRUE(apic.write_msr(0x1B, 0xFEE00100));
  apic.set_lint(0, true);
  EXPECT_TRUE(apic.pending());
  wiring.external = 0x20;
  EXPECT_EQ(apic.acknowledge(), 0x20);
  apic.set_lint(1, true);
  EXPECT_EQ(wiring.nmis, 1);
  EXPECT_FALSE(apic.accept({.vector = 0x41}));
  EXPECT_EQ(get(0x30), 0xFFFFFFFFu);
}

TEST_F(LocalApicTest, Lint1GivesAnNmiPerRisingEdge) {
  enable();
  set(0x360, 0x400);
  apic.set_lint(1, true);
  apic.set_lint(1, true);
  EXPECT_EQ(wiring.nmis, 1);
  apic.set_lint(1, false);
  apic.set_lint(1, true);
  EXPECT_EQ(wiring.nmis, 2);
}

TEST_F(LocalApicTest, AFixedLevelOnLint0ComesAgainAfterEoiWhileThePinIsUp) {
  enable();
  set(0x350, 0x8045);
  apic.set_lint(0, true);
  EXPECT_EQ(get(0x350), 0xC045u);
  EXPECT_EQ(apic.acknowledge(), 0x45);
  EXPECT_FALSE(apic.pending());
  set(0xB0, 0);
  EXPECT_TRUE(apic.pending());
  apic.set_lint(0, false);
  EXPECT_EQ(apic.acknowledge(), 0x45);
  set(0xB0, 0);
  EXPECT_FALSE(apic.pending());
  EXPECT_EQ(get(0x350), 0x8045u);
}

TEST_F(LocalApicTest, LocalSourcesFireAsTheirEntriesSay) {
  enable();
  set(0x330, 0x70);
  set(0x2F0, 0x71);
  set(0x340, 0x400);
  apic.raise(LocalSource::kThermal);
  EXPECT_EQ(apic.acknowledge(), 0x70);
  set(0xB0, 0);
  apic.raise(LocalSource::kCmci);
  EXPECT_EQ(apic.acknowledge(), 0x71);
  apic.raise(LocalSource::kPerformance);
  EXPECT_EQ(wiring.nmis, 1);
  EXPECT_EQ(get(0x340), 0x10400u);  // masks itself
}

TEST_F(LocalApicTest, InitResetsTheRegistersButNotTheBaseAndTheMode) {
  enable();
  send(0x41);
  apic.write_msr(0x1B, 0xFEE00D00);
  send(0, DeliveryMode::kInit);
  EXPECT_FALSE(apic.pending());
  EXPECT_EQ(msr(0x1B), 0xFEE00D00u);
  EXPECT_EQ(msr(0x80F), 0xFFu);
}

TEST_F(LocalApicTest, X2apicRegistersAreMsrsAndThePageIsGone) {
  enable();
  u64 value = 0;
  EXPECT_FALSE(apic.read_msr(0x802, value));
  EXPECT_FALSE(apic.write_msr(0x80F, 0x1FF));
  ASSERT_TRUE(apic.write_msr(0x1B, 0xFEE00D00));
  EXPECT_EQ(wiring.base, 0xFEE00D00u);
  EXPECT_EQ(msr(0x802), 0u);
  EXPECT_EQ(msr(0x80D), 1u);
  EXPECT_EQ(msr(0x80F), 0x1FFu);
  EXPECT_EQ(get(0x30), 0xFFFFFFFFu);
  EXPECT_TRUE(apic.write_msr(0x808, 0x50));
  EXPECT_EQ(apic.cr8(), 5);
}

TEST_F(LocalApicTest, X2apicRefusesWhatTheManualRefuses) {
  // SDM 3A table 11-6 and 11.12.1.3.
  apic.write_msr(0x1B, 0xFEE00D00);
  u64 value = 0;
  for (u32 index : {0x80Eu, 0x831u, 0x80Bu, 0x83Fu, 0x840u, 0x8FFu, 0x800u})
    EXPECT_FALSE(apic.read_msr(index, value)) << std::hex << index;
  for (u32 index : {0x802u, 0x803u, 0x80Au, 0x80Du, 0x80Eu, 0x810u, 0x820u, 0x831u, 0x839u, 0x840u})
    EXPECT_FALSE(apic.write_msr(index, 0)) << std::hex << index;
  EXPECT_FALSE(apic.write_msr(0x80B, 1));
  EXPECT_FALSE(apic.write_msr(0x828, 1));
  EXPECT_FALSE(apic.write_msr(0x808, 0x100));
  EXPECT_FALSE(apic.write_msr(0x80F, 0x2000));
  EXPECT_FALSE(apic.write_msr(0x830, 0x2000));
  EXPECT_FALSE(apic.write_msr(0x83E, 4));
  EXPECT_TRUE(apic.write_msr(0x80B, 0));
  EXPECT_TRUE(apic.write_msr(0x828, 0));
}

TEST_F(LocalApicTest, ApicBaseAllowsOnlyTheManualsTransitions) {
  // SDM 3A figure 11-27.
  EXPECT_FALSE(apic.write_msr(0x1B, 0xFEE00500));      // EXTD without EN
  EXPECT_FALSE(apic.write_msr(0x1B, 0xFEE00901));      // reserved
  EXPECT_FALSE(apic.write_msr(0x1B, 0x100'FEE00900));  // beyond 40 bits
  EXPECT_TRUE(apic.write_msr(0x1B, 0xFEE00D00));
  EXPECT_FALSE(apic.write_msr(0x1B, 0xFEE00900));  // x2APIC to xAPIC
  EXPECT_TRUE(apic.write_msr(0x1B, 0xFEE00100));
  EXPECT_FALSE(apic.write_msr(0x1B, 0xFEE00D00));  // disabled to x2APIC
  EXPECT_TRUE(apic.write_msr(0x1B, 0xFEE00900));
  apic.reset();
  EXPECT_EQ(msr(0x1B), 0xFEE00900u);
}

TEST_F(LocalApicTest, AProcessorWithoutX2apicRefusesToEnterThatMode) {
  LocalApic old({.apic_id = 0, .bootstrap = true, .x2apic = false}, clock, bus, wiring);
  EXPECT_FALSE(old.write_msr(0x1B, 0xFEE00D00));
  EXPECT_TRUE(old.write_msr(0x1B, 0xFEE00100));
  EXPECT_TRUE(old.write_msr(0x1B, 0xFEE00900));
}

TEST_F(LocalApicTest, ASavedStateGoesOnElsewhere) {
  enable();
  set(0x320, 0x20050);
  set(0x380, 1000);
  send(0x41, DeliveryMode::kFixed, true);
  send(0x31);
  apic.acknowledge();
  clock.advance(500);
  test::WiringProbe other_wiring;
  LocalApic other({}, clock, bus, other_wiring);
  ASSERT_TRUE(test::restore(other, test::saved(apic)));
  EXPECT_EQ(test::saved(other), test::saved(apic));
  other.write(0xB0, 0, 4);
  EXPECT_EQ(other_wiring.ended, std::vector<u8>{0x41});
  EXPECT_EQ(other.acknowledge(), 0x31);
  clock.advance(1500);
  other.write(0xB0, 0, 4);
  EXPECT_EQ(other.acknowledge(), 0x50);
}

}  // namespace
}  // namespace kite
