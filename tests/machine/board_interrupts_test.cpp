// A board's interrupt controllers go away to an accelerator's and come back: to one made up here,
// and to KVM's where the host has it.
#include "machine/board_interrupts.h"

#include <gtest/gtest.h>

#include "accel/x86/registers.h"
#include "machine/accelerators.h"
#include "tests/devices/probes.h"

namespace kite {
namespace {

enum Register : std::size_t {  // of a local APIC: offset / 16
  kTpr = 0x08,
  kLdr = 0x0d,
  kSvr = 0x0f,
  kIsr = 0x10,
  kTmr = 0x18,
  kIrr = 0x20,
  kLvtTimer = 0x32,
  kInitialCount = 0x38,
  kCurrentCount = 0x39,
};

// Keeps what it is given.
class KeptChips : public InterruptChips {
 public:
  void set_irq(unsigned number, bool level) override { seen.emplace_back(number, level); }
  void send_msi(u64 address, u32 data) override { messages.emplace_back(address, data); }
  void set_hpet_replaces(bool on) override { states.hpet_replaces = on; }
  Result<ChipStates> save() override { return states; }
  Result<> load(const ChipStates& from, u32 wires) override {
    states = from;
    levels = wires;
    return {};
  }
  ChipStates states;
  u32 levels = 0;
  std::vector<std::pair<unsigned, bool>> seen;
  std::vector<std::pair<u64, u32>> messages;
};

class BoardInterruptsTest : public testing::Test {
 protected:
  BoardInterruptsTest() {
    bus.add(apic);
    wires.chips = {&pic, &io_apic, &pit, &bus, {&apic}};
    apic.enter_virtual_wire_mode();
  }

  // The 8259s as a PC's firmware sets them up, from `vector_base` on.
  void start_8259s(u8 vector_base) {
    auto put = [](IoHandler& ports, u64 offset, u8 value) { ports.write(offset, value, 1); };
    for (IoHandler* ports : {&pic.master_ports(), &pic.slave_ports()}) {
      const bool master = ports == &pic.master_ports();
      put(*ports, 0, 0x11);
      put(*ports, 1, master ? vector_base : static_cast<u8>(vector_base + 8));
      put(*ports, 1, master ? 4 : 2);
      put(*ports, 1, 1);
      put(*ports, 1, 0);
    }
  }
  void write_io_apic(u32 index, u32 value) {
    io_apic.write(0, index, 4);
    io_apic.write(0x10, value, 4);
  }

  void go_away(InterruptChips& to) {
    states.resize(1);
    wires.put_local_apics(states);
    ASSERT_TRUE(wires.move_away(to));
  }
  void come_back() {
    const auto fetched = wires.fetch();
    ASSERT_TRUE(fetched) << fetched.error().message;
    wires.come_back(*fetched, states);
  }

  ManualClock clock;
  BoardInterrupts wires;
  ApicBus bus;
  test::WiringProbe wiring;
  LocalApic apic{
      {.apic_id = 0, .bootstrap = true, .cmci = false, .directed_eoi = false}, clock, bus, wiring};
  Pic8259Pair pic{Line([this](bool level) { apic.set_lint(0, level); })};
  IoApic io_apic{0, IoApic::Version::k11, bus};
  Pit8254 pit{clock, wires.replaceable_line(0)};
  std::vector<X86State> states;
  KeptChips kept;
};

TEST_F(BoardInterruptsTest, WiresAndMessagesGoToWhoServesTheGuest) {
  start_8259s(0x20);
  go_away(kept);
  wires.set(4, true);
  wires.set(4, true);  // no news
  wires.set(2, true);  // the cascade is no wire
  wires.set(17, true);
  wires.send_msi(0xfee00000, 0x4041);
  EXPECT_EQ(kept.seen, (std::vector<std::pair<unsigned, bool>>{{4, true}, {17, true}}));
  EXPECT_EQ(kept.messages, (std::vector<std::pair<u64, u32>>{{0xfee00000, 0x4041}}));
  EXPECT_FALSE(pic.pending());
  EXPECT_FALSE(apic.pending());
  come_back();
  EXPECT_EQ(wires.away(), nullptr);
  EXPECT_TRUE(pic.pending());  // wire 4 rose meanwhile
  wires.send_msi(0xfee00000, 0x4041);
  EXPECT_TRUE(apic.pending());
}

TEST_F(BoardInterruptsTest, TheBoardsChipsSleepWhileAway) {
  pit.write(3, 0x34, 1);  // mode 2, 1000 pulses
  pit.write(0, 0xe8, 1);
  pit.write(0, 0x03, 1);
  apic.write(16 * kLvtTimer, 0x20030, 4);
  apic.write(16 * kInitialCount, 1'000'000, 4);
  go_away(kept);
  EXPECT_EQ(clock.next_deadline(), kNever);
  come_back();
  EXPECT_NE(clock.next_deadline(), kNever);
}

TEST_F(BoardInterruptsTest, RegistersComeBackAsTheyWent) {
  start_8259s(0x30);
  wires.set(9, true);
  pic.acknowledge();
  write_io_apic(0x10 + 2 * 17, 0x18050);
  write_io_apic(0x11 + 2 * 17, 0x01000000);
  io_apic.write(0, 0x21, 4);
  apic.write(16 * kTpr, 0x30, 4);
  apic.write(16 * kLdr, 0x04000000, 4);
  apic.accept({.vector = 0x41, .level_triggered = true});
  const auto pics = pic.state();
  const auto inputs = io_apic.state();
  const auto registers = apic.state();
  go_away(kept);
  EXPECT_EQ(kept.levels, 1u << 9);
  come_back();
  EXPECT_EQ(pic.state(), pics);
  EXPECT_EQ(io_apic.state(), inputs);
  EXPECT_EQ(apic.state(), registers);
}

TEST_F(BoardInterruptsTest, AnEdgeThatWasWaitingIsNotLostNorDoubled) {
  start_8259s(0x20);
  wires.set(4, true);
  go_away(kept);
  EXPECT_EQ(kept.states.pic[0].irr, 1 << 4);
  come_back();
  ASSERT_TRUE(pic.pending());
  EXPECT_EQ(pic.acknowledge(), 0x24);
  pic.master_ports().write(0, 0x20, 1);
  EXPECT_FALSE(pic.pending());
  go_away(kept);
  come_back();
  EXPECT_FALSE(pic.pending());
}

TEST_F(BoardInterruptsTest, ALevelThatIsUpAndWasNotTakenComesAgain) {
  write_io_apic(0x10 + 2 * 17, 0x8050);
  go_away(kept);
  wires.set(17, true);
  come_back();
  EXPECT_TRUE(apic.pending());
  EXPECT_EQ(io_apic.state().redirection[17] & 0x4000, 0x4000u);
}

TEST_F(BoardInterruptsTest, TimersGoOnWhereTheyWere) {
  apic.write(16 * 0x3e, 0xb, 4);  // by 1: the clock's nanoseconds
  apic.write(16 * kLvtTimer, 0x30, 4);
  apic.write(16 * kInitialCount, 1000, 4);
  clock.advance(400);
  go_away(kept);
  EXPECT_EQ(states[0].apic->registers[kCurrentCount], 600u);
  clock.advance(1'000'000);
  EXPECT_FALSE(apic.pending());
  come_back();
  EXPECT_EQ(apic.read(16 * kCurrentCount, 4), 600u);
  clock.advance(599);
  EXPECT_FALSE(apic.pending());
  clock.advance(1);
  EXPECT_TRUE(apic.pending());
}

// An accelerator cannot tell whether its interrupt is on its way, or has been.
TEST_F(BoardInterruptsTest, AOneShotTimerThatRanOutMeanwhileInterrupts) {
  apic.write(16 * kLvtTimer, 0x30, 4);
  apic.write(16 * kInitialCount, 1000, 4);
  go_away(kept);
  states[0].apic->registers[kCurrentCount] = 0;
  come_back();
  clock.advance(kMillisecond);
  EXPECT_TRUE(apic.pending());
}

TEST_F(BoardInterruptsTest, TheHpetTakesTheTimersWireOnEitherSide) {
  go_away(kept);
  wires.set_hpet_replaces(true);
  EXPECT_TRUE(kept.states.hpet_replaces);
  wires.set(0, true);  // the HPET's
  EXPECT_EQ(kept.seen.size(), 1u);
  come_back();
  wires.set_hpet_replaces(false);
}

TEST_F(BoardInterruptsTest, AnX2apicModeAndAMovedPageComeBack) {
  ASSERT_TRUE(apic.write_msr(0x1b, 0xd1000900));
  go_away(kept);
  EXPECT_EQ(apic.apic_base(), 0xfee00900u);
  come_back();
  EXPECT_EQ(apic.apic_base(), 0xd1000900u);
  ASSERT_TRUE(apic.write_msr(0x1b, 0xfee00d00));
  go_away(kept);
  come_back();
  EXPECT_EQ(apic.apic_base(), 0xfee00d00u);
}

class KvmChips : public BoardInterruptsTest {
 protected:
  void SetUp() override {
    const AcceleratorKind* kvm = nullptr;
    for (const AcceleratorKind* kind : accelerator_kinds())
      if (kind->name == "kvm") kvm = kind;
    if (!kvm) GTEST_SKIP() << "kvm is not part of this build";
    if (Result<> usable = kvm->probe(); !usable) GTEST_SKIP() << usable.error().message;
    AcceleratorConfig config{.memory = memory, .ports = ports, .clock = clock, .model = model};
    config.options.kernel_irqchip = true;
    auto created = kvm->create(config);
    if (!created) GTEST_SKIP() << created.error().message;
    accelerator = std::move(*created);
    auto made = accelerator->create_vcpu({});
    ASSERT_TRUE(made) << made.error().message;
    vcpu = std::move(*made);
  }
  void go() {
    states = {X86State::after_reset()};
    wires.put_local_apics(states);
    auto set = vcpu->set_state(states[0]);
    ASSERT_TRUE(set) << set.error().message;
    auto away = wires.move_away(*accelerator->chips());
    ASSERT_TRUE(away) << away.error().message;
  }
  void come() {
    const auto fetched = wires.fetch();
    ASSERT_TRUE(fetched) << fetched.error().message;
    states = {vcpu->state()};
    wires.come_back(*fetched, states);
  }

  AddressSpace memory;
  PortSpace ports;
  CpuModel model = *find_cpu_model("x86-64-v2");
  std::unique_ptr<Accelerator> accelerator;
  std::unique_ptr<Vcpu> vcpu;
};

TEST_F(KvmChips, RegistersComeBackAsTheyWent) {
  start_8259s(0x30);
  pic.elcr_ports().write(1, 2, 1);  // IRQ 9 by level
  wires.set(4, true);
  wires.set(9, true);
  wires.set(18, true);
  write_io_apic(0x10 + 2 * 17, 0x18050);
  write_io_apic(0x10 + 2 * 18, 0x8051);  // unmasked: requested at once
  apic.write(16 * kTpr, 0xf0, 4);
  apic.write(16 * kLdr, 0x04000000, 4);
  apic.accept({.vector = 0x41, .level_triggered = false});
  const auto pics = pic.state();
  const auto inputs = io_apic.state();
  const auto registers = apic.state();
  go();
  come();
  EXPECT_EQ(pic.state(), pics);
  EXPECT_EQ(io_apic.state(), inputs);
  const auto back = apic.state();
  EXPECT_EQ(back.apic_base, registers.apic_base);
  for (std::size_t i = 0; i < registers.registers.size(); ++i)
    EXPECT_EQ(back.registers[i], registers.registers[i]) << "register " << std::hex << i;
}

TEST_F(KvmChips, TheVersionsAreTheSameOnEitherSide) {
  go();
  const auto there = vcpu->state().apic;
  ASSERT_TRUE(there);
  EXPECT_EQ(there->registers[3], states[0].apic->registers[3]);
}

TEST_F(KvmChips, A8254AndPort61hComeBack) {
  pit.write(3, 0x34, 1);
  pit.write(0, 0x34, 1);
  pit.write(0, 0x12, 1);
  pit.port_61().write(0, 3, 1);
  pit.write(3, 0xb0, 1);  // counter 2, mode 0
  pit.write(2, 0xff, 1);
  pit.write(2, 0xff, 1);
  go();
  EXPECT_EQ(pit.state().counters[0].count, 0u);
  come();
  const auto back = pit.state();
  EXPECT_EQ(back.counters[0].control, 0x34);
  EXPECT_EQ(back.counters[0].count, 0x1234u);
  EXPECT_EQ(back.counters[2].control, 0x30);
  EXPECT_EQ(pit.port_61().read(0, 1) & 3, 3u);
}

}  // namespace
}  // namespace kite
