#include "devices/serial/uart_16550.h"

#include <gtest/gtest.h>

#include "fake_cable.h"

namespace kite {
namespace {

enum : u64 { kData, kIer, kIir, kLcr, kMcr, kLsr, kMsr, kScr };

class Uart16550Test : public testing::Test {
 protected:
  u8 in(u64 offset) { return static_cast<u8>(uart.read(offset, 1)); }
  void out(u64 offset, u8 value) { uart.write(offset, value, 1); }
  // What a driver does first: 115200 baud, 8N1, FIFOs with `trigger`, DTR, RTS and OUT2.
  void open(u8 fifo_control = 0x01) {
    out(kLcr, 0x83);
    out(kData, 1);
    out(kIer, 0);
    out(kLcr, 0x03);
    out(kIir, fifo_control);
    out(kMcr, 0x0b);
    listen();
  }
  // Polls the line status as a guest does that waits for a character.
  void listen() {
    for (int i = 0; i < 8; ++i) in(kLsr);
  }
  static constexpr Nanos kCharacter = 10 * kSecond / 115200;

  WireProbe irq;
  FakeCable cable;
  ManualClock clock;
  Uart16550 uart{irq.line(), cable, clock};
};

TEST_F(Uart16550Test, AfterResetTheTransmitterIsEmptyAndNothingIsPending) {
  EXPECT_EQ(in(kIer), 0x00);
  EXPECT_EQ(in(kIir), 0x01);
  EXPECT_EQ(in(kLcr), 0x00);
  EXPECT_EQ(in(kMcr), 0x00);
  EXPECT_EQ(in(kLsr), 0x60);
  EXPECT_FALSE(irq.level);
}

TEST_F(Uart16550Test, WhatIsWrittenLeavesAtOnceAndTheTransmitterIsEmptyAgain) {
  out(kData, 'h');
  out(kData, 'i');
  EXPECT_EQ(cable.written, "hi");
  EXPECT_EQ(in(kLsr), 0x60);
}

TEST_F(Uart16550Test, TheDivisorLatchHidesDataAndInterruptEnable) {
  out(kLcr, 0x80);
  out(kData, 0x34);
  out(kIer, 0x12);
  EXPECT_EQ(in(kData), 0x34);
  EXPECT_EQ(in(kIer), 0x12);
  out(kLcr, 0x00);
  EXPECT_EQ(in(kIer), 0x00);
  EXPECT_EQ(cable.written, "");
}

TEST_F(Uart16550Test, TheScratchRegisterKeepsAnyByte) {
  for (int value : {0x00, 0x55, 0xaa, 0xff}) {
    out(kScr, static_cast<u8>(value));
    EXPECT_EQ(in(kScr), value);
  }
}

TEST_F(Uart16550Test, ReservedBitsOfInterruptEnableAndModemControlReadZero) {
  out(kIer, 0xff);
  out(kMcr, 0xff);
  EXPECT_EQ(in(kIer), 0x0f);
  EXPECT_EQ(in(kMcr), 0x1f);
}

TEST_F(Uart16550Test, EnablingEtbeiWhileEmptyRaisesTheInterrupt) {
  open();
  out(kIer, 0x02);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(in(kIir), 0xc2);
}

TEST_F(Uart16550Test, ReadingIirClearsThrePending) {
  open();
  out(kIer, 0x02);
  EXPECT_EQ(in(kIir), 0xc2);
  EXPECT_EQ(in(kIir), 0xc1);
  EXPECT_FALSE(irq.level);
}

TEST_F(Uart16550Test, WritingACharacterAsksForTheNextOne) {
  open();
  out(kIer, 0x02);
  in(kIir);
  out(kData, 'x');
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(in(kIir), 0xc2);
}

TEST_F(Uart16550Test, ReenablingEtbeiRaisesTheInterruptAgain) {
  open();
  for (int i = 0; i < 2; ++i) {
    out(kIer, 0x02);
    EXPECT_EQ(in(kIir), 0xc2);
    out(kIer, 0x00);
  }
}

TEST_F(Uart16550Test, WithoutOut2TheInterruptStaysOffTheBus) {
  open();
  out(kMcr, 0x03);
  out(kIer, 0x02);
  EXPECT_FALSE(irq.level);
  EXPECT_EQ(in(kIir), 0xc2);
}

TEST_F(Uart16550Test, AReceivedCharacterIsReadOnce) {
  open();
  EXPECT_EQ(cable.send("a"), 1u);
  EXPECT_EQ(in(kLsr), 0x61);
  EXPECT_EQ(in(kData), 'a');
  EXPECT_EQ(in(kLsr), 0x60);
}

TEST_F(Uart16550Test, TheReceiverHoldsSixteenWithFifosAndOneWithout) {
  open();
  EXPECT_EQ(cable.send("0123456789abcdefgh"), 16u);
  open(0x00);
  EXPECT_EQ(cable.send("xy"), 1u);
}

TEST_F(Uart16550Test, NothingIsSentToAGuestThatDoesNotListen) {
  out(kMcr, 0x03);
  EXPECT_EQ(cable.send("a"), 0u);
  in(kLsr);  // as before each character of a console that only prints
  out(kData, 'x');
  in(kLsr);
  out(kData, 'y');
  EXPECT_EQ(cable.send("a"), 0u);
}

TEST_F(Uart16550Test, EnablingReceiveInterruptsIsListening) {
  out(kIir, 0x01);
  out(kIer, 0x01);
  EXPECT_TRUE(cable.resumed);
  EXPECT_EQ(cable.send("a"), 1u);
}

// Linux does it in this order.
TEST_F(Uart16550Test, EnablingTheFifosJustAfterReceiveInterruptsLosesNothing) {
  out(kIer, 0x05);
  clock.advance(kMillisecond);
  EXPECT_EQ(cable.send("a"), 0u);
  out(kIir, 0x81);
  EXPECT_TRUE(cable.resumed);
  EXPECT_EQ(cable.send("a"), 1u);
}

TEST_F(Uart16550Test, ADriverWithoutFifosIsListeningAMomentLater) {
  out(kIer, 0x05);
  cable.resumed = false;
  clock.advance(10 * kMillisecond);
  EXPECT_TRUE(cable.resumed);
  EXPECT_EQ(cable.send("ab"), 1u);
}

TEST_F(Uart16550Test, PollingAnEmptyReceiverIsListening) {
  listen();
  EXPECT_TRUE(cable.resumed);
  EXPECT_EQ(cable.send("a"), 1u);
  EXPECT_EQ(in(kData), 'a');
  EXPECT_EQ(cable.send("b"), 1u);
}

TEST_F(Uart16550Test, ADriverThatStartsLosesNothingWhenItClearsTheFifos) {
  listen();  // the boot loader
  out(kIir, 0x07);
  EXPECT_EQ(cable.send("a"), 0u);
  out(kIer, 0x05);
  EXPECT_EQ(cable.send("a"), 1u);
}

TEST_F(Uart16550Test, ReadingMakesRoomAndTellsTheCable) {
  open();
  cable.send("0123456789abcdef");
  cable.resumed = false;
  EXPECT_EQ(in(kData), '0');
  EXPECT_TRUE(cable.resumed);
  EXPECT_EQ(cable.send("gh"), 1u);
}

TEST_F(Uart16550Test, TheInterruptComesAtTheTriggerLevel) {
  const struct {
    u8 fifo_control;
    unsigned level;
  } cases[] = {{0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};
  for (const auto& [fifo_control, level] : cases) {
    open(0x00);
    open(fifo_control);
    out(kIer, 0x01);
    for (unsigned i = 1; i < level; ++i) cable.send("x");
    EXPECT_FALSE(irq.level) << level;
    cable.send("x");
    EXPECT_TRUE(irq.level) << level;
    EXPECT_EQ(in(kIir), 0xc4) << level;
    in(kData);
    EXPECT_FALSE(irq.level) << level;
  }
}

TEST_F(Uart16550Test, BelowTheTriggerLevelATimeoutFollowsAfterFourCharacters) {
  open(0xc1);
  out(kIer, 0x01);
  cable.send("x");
  clock.advance(4 * kCharacter - 10);
  EXPECT_FALSE(irq.level);
  clock.advance(20);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(in(kIir), 0xcc);
  in(kData);
  EXPECT_EQ(in(kIir), 0xc1);
  EXPECT_FALSE(irq.level);
}

TEST_F(Uart16550Test, EachCharacterRestartsTheTimeout) {
  open(0xc1);
  out(kIer, 0x01);
  cable.send("x");
  clock.advance(3 * kCharacter);
  cable.send("y");
  clock.advance(3 * kCharacter);
  EXPECT_FALSE(irq.level);
  clock.advance(2 * kCharacter);
  EXPECT_TRUE(irq.level);
}

TEST_F(Uart16550Test, AnEmptyFifoNeverTimesOut) {
  open(0xc1);
  out(kIer, 0x01);
  cable.send("x");
  in(kData);
  clock.advance(kSecond);
  EXPECT_FALSE(irq.level);
}

TEST_F(Uart16550Test, InterruptsAreIdentifiedByPriority) {
  open();
  out(kMcr, 0x1b);  // loop back: the modem inputs change, and an overrun can be made
  for (int i = 0; i < 17; ++i) out(kData, 'x');
  out(kIer, 0x0f);
  EXPECT_EQ(in(kIir), 0xc6);  // receiver line status: overrun
  in(kLsr);
  EXPECT_EQ(in(kIir), 0xc4);  // received data
  out(kIir, 0x03);
  EXPECT_EQ(in(kIir), 0xc2);  // transmitter empty, cleared by this very read
  out(kMcr, 0x18);
  EXPECT_EQ(in(kIir), 0xc0);  // modem status
  in(kMsr);
  EXPECT_EQ(in(kIir), 0xc1);
}

TEST_F(Uart16550Test, LoopbackReceivesWhatItSendsAndSendsNothingOutside) {
  open();
  out(kMcr, 0x10);
  out(kData, 0x5a);
  EXPECT_EQ(in(kLsr), 0x61);
  EXPECT_EQ(in(kData), 0x5a);
  EXPECT_EQ(cable.written, "");
  EXPECT_EQ(cable.send("x"), 0u);
}

TEST_F(Uart16550Test, LoopbackKeepsOnlyTheBitsOfTheWordLength) {
  out(kMcr, 0x10);
  for (u8 length = 0; length < 4; ++length) {
    out(kLcr, length);
    out(kData, 0xff);
    EXPECT_EQ(in(kData), 0xff >> (3 - length));
  }
}

TEST_F(Uart16550Test, LoopbackConnectsTheModemOutputsToItsInputs) {
  out(kMcr, 0x1a);  // Linux's test for the chip: LOOP, OUT2, RTS
  EXPECT_EQ(in(kMsr)&0xf0, 0x90);
  out(kMcr, 0x1f);
  EXPECT_EQ(in(kMsr)&0xf0, 0xf0);
  out(kMcr, 0x10);
  EXPECT_EQ(in(kMsr)&0xf0, 0x00);
}

TEST_F(Uart16550Test, ReadingModemStatusClearsTheDeltas) {
  out(kMcr, 0x10);  // CTS, DSR and DCD fall
  EXPECT_EQ(in(kMsr)&0x0f, 0x0b);
  EXPECT_EQ(in(kMsr)&0x0f, 0x00);
}

TEST_F(Uart16550Test, OnlyTheTrailingEdgeOfRingCounts) {
  out(kMcr, 0x10);
  in(kMsr);
  out(kMcr, 0x14);
  EXPECT_EQ(in(kMsr)&0x0f, 0x00);
  out(kMcr, 0x10);
  EXPECT_EQ(in(kMsr)&0x0f, 0x04);
}

TEST_F(Uart16550Test, TheCableIsAlwaysReady) {
  EXPECT_EQ(in(kMsr), 0xb0);
}

TEST_F(Uart16550Test, AnOverrunKeepsTheFifoAndLosesTheNewCharacter) {
  open();
  out(kMcr, 0x10);
  for (u8 i = 0; i < 17; ++i) out(kData, i);
  EXPECT_EQ(in(kLsr), 0x63);
  EXPECT_EQ(in(kLsr), 0x61);
  for (u8 i = 0; i < 16; ++i) EXPECT_EQ(in(kData), i);
  EXPECT_EQ(in(kLsr), 0x60);
}

TEST_F(Uart16550Test, WithoutFifosAnOverrunReplacesTheOldCharacter) {
  out(kMcr, 0x10);
  out(kLcr, 0x03);
  out(kData, 1);
  out(kData, 2);
  EXPECT_EQ(in(kLsr), 0x63);
  EXPECT_EQ(in(kData), 2);
}

TEST_F(Uart16550Test, FifoControlResetsTheReceiver) {
  open();
  cable.send("abc");
  out(kIir, 0x03);
  EXPECT_EQ(in(kLsr), 0x60);
}

TEST_F(Uart16550Test, SwitchingTheFifosClearsThem) {
  open();
  cable.send("abc");
  out(kIir, 0x00);
  EXPECT_EQ(in(kLsr), 0x60);
  EXPECT_EQ(in(kIir), 0x01);
}

TEST_F(Uart16550Test, FifoControlBitsNeedTheEnableBit) {
  open();
  out(kIir, 0x00);
  listen();
  cable.send("a");
  out(kIir, 0x02);
  EXPECT_EQ(in(kLsr), 0x61);
}

TEST_F(Uart16550Test, LineAndModemStatusCannotBeWritten) {
  out(kLsr, 0xff);
  out(kMsr, 0xff);
  EXPECT_EQ(in(kLsr), 0x60);
  EXPECT_EQ(in(kMsr), 0xb0);
}

TEST_F(Uart16550Test, AWideAccessIsByteAccessesInOrder) {
  uart.write(kLcr, 0x0b03, 2);
  EXPECT_EQ(in(kLcr), 0x03);
  EXPECT_EQ(in(kMcr), 0x0b);
  EXPECT_EQ(uart.read(kLcr, 2), 0x0b03u);
}

TEST_F(Uart16550Test, ResetDropsTheInterruptAndKeepsTheScratchRegister) {
  open();
  out(kScr, 0x42);
  out(kIer, 0x02);
  uart.reset();
  EXPECT_FALSE(irq.level);
  EXPECT_EQ(in(kIer), 0x00);
  EXPECT_EQ(in(kIir), 0x01);
  EXPECT_EQ(in(kScr), 0x42);
}

TEST_F(Uart16550Test, ASavedChipGoesOnInAnother) {
  open(0xc1);
  out(kIer, 0x01);
  cable.send("xyz");
  auto saved = Archive::saving();
  uart.transfer(saved);

  WireProbe other_irq;
  FakeCable other_cable;
  Uart16550 other(other_irq.line(), other_cable, clock);
  auto loaded = Archive::loading(saved.stream());
  other.transfer(loaded);
  ASSERT_TRUE(loaded.finish());
  clock.advance(5 * kCharacter);
  EXPECT_TRUE(other_irq.level);
  EXPECT_EQ(other.read(kData, 1), u64{'x'});
  EXPECT_EQ(other.read(kData, 1), u64{'y'});
}

TEST_F(Uart16550Test, ADestroyedChipLeavesTheCable) {
  { Uart16550 other(Line(), cable, clock); }
  EXPECT_FALSE(cable.connected());
}

}  // namespace
}  // namespace kite
