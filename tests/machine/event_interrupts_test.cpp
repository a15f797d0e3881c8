// Descriptors as interrupts, served by the I/O loop and a board's own controllers.
#include "machine/event_interrupts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "devices/irq/apic_bus.h"
#include "devices/irq/io_apic.h"
#include "devices/irq/local_apic.h"
#include "devices/irq/pic_8259.h"

namespace kite {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr unsigned kEdge = 16, kLevel = 17;  // wires, and inputs of the I/O APIC
constexpr u8 kEdgeVector = 0x41, kLevelVector = 0x42, kMessageVector = 0x43;

std::shared_ptr<Notifier> make_notifier() {
  auto made = Notifier::create();
  EXPECT_TRUE(made) << made.error().message;
  return std::make_shared<Notifier>(std::move(*made));
}

// One processor's local APIC, an I/O APIC, and the loop on a thread of its own.
class EventInterruptsTest : public testing::Test, private LocalApicWiring {
 protected:
  void SetUp() override {
    auto made = EventLoop::create(clock);
    ASSERT_TRUE(made) << made.error().message;
    loop = std::move(*made);
    bus.add(apic);
    apic.write(0xf0, 0x1ff, 4);  // SVR: enabled
    write_redirection(kEdge, kEdgeVector);
    write_redirection(kLevel, 0x8000 | kLevelVector);
    events = std::make_unique<MachineEventInterrupts>(
        *loop, MachineEventInterrupts::Controllers{
                   .set_wire = [this](unsigned wire, bool level) { io_apic.set_irq(wire, level); },
                   .send_message = [this](u64 address,
                                          u32 data) { bus.write(address - 0xfee00000, data, 4); }});
    io_apic.on_end_of_interrupt([this](unsigned input) { events->ended(input); });
    thread = std::thread([this] { loop->run(); });
  }
  void TearDown() override {
    events.reset();
    loop->stop();
    thread.join();
  }

  void write_redirection(unsigned input, u32 low) {
    io_apic.write(0, 0x10 + 2 * input, 4);
    io_apic.write(0x10, low, 4);
  }
  // Until the loop has dealt with what has been signalled: it polls between two posted calls.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      std::promise<void> done;
      loop->post([&] { done.set_value(); });
      done.get_future().wait();
    }
  }
  // The processor takes what waits, and ends each interrupt.
  std::vector<u8> serve() {
    settle();
    std::vector<u8> vectors;
    while (auto vector = apic.acknowledge()) {
      vectors.push_back(*vector);
      apic.write(0xb0, 0, 4);
    }
    return vectors;
  }
  EventInterrupts::Id message(std::shared_ptr<Notifier> event, u8 vector = kMessageVector) {
    auto id = events->connect_message({0xfee00000, vector}, std::move(event));
    EXPECT_TRUE(id);
    return id.value_or(0);
  }

  void interrupt_changed() override {}
  void nmi() override {}
  void init() override {}
  void start_up(u8) override {}
  std::optional<u8> acknowledge_external() override { return std::nullopt; }
  void end_of_interrupt(u8 vector) override { io_apic.eoi(vector); }
  void apic_base_changed(u64) override {}

  ManualClock clock;
  ApicBus bus;
  LocalApic apic{LocalApicConfig{.bootstrap = true}, clock, bus, *this};
  IoApic io_apic{0, IoApic::Version::k20, bus};
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<MachineEventInterrupts> events;
  std::thread thread;
  std::shared_ptr<Notifier> event = make_notifier(), resample = make_notifier();
};

TEST_F(EventInterruptsTest, EachSignalIsAnEdge) {
  ASSERT_TRUE(events->connect_edge(kEdge, event));
  for (int i = 0; i < 5; ++i) {
    event->signal();
    EXPECT_THAT(serve(), ElementsAre(kEdgeVector));
    EXPECT_THAT(serve(), IsEmpty());
  }
}

TEST_F(EventInterruptsTest, ASignalFromBeforeTheConnectionCounts) {
  event->signal();
  ASSERT_TRUE(events->connect_edge(kEdge, event));
  EXPECT_THAT(serve(), ElementsAre(kEdgeVector));
}

// A device with three pieces of work: it asks until the last is done, and not once more.
TEST_F(EventInterruptsTest, ALevelComesAsOftenAsTheDeviceWantsIt) {
  ASSERT_TRUE(events->connect_level(kLevel, event, resample));
  event->signal();
  int interrupts = 0;
  for (int work = 3; work > 0; --work) {
    settle();
    const auto vector = apic.acknowledge();
    ASSERT_EQ(vector, kLevelVector);
    ++interrupts;
    settle();
    EXPECT_EQ(resample->take(), 0u);  // not before the guest has ended it
    apic.write(0xb0, 0, 4);
    EXPECT_EQ(resample->take(), 1u);
    if (work > 1) event->signal();
  }
  EXPECT_EQ(interrupts, 3);
  EXPECT_THAT(serve(), IsEmpty());
}

TEST_F(EventInterruptsTest, AWireMayBeShared) {
  auto second = make_notifier(), second_resample = make_notifier();
  auto first_id = events->connect_level(kLevel, event, resample);
  ASSERT_TRUE(first_id);
  ASSERT_TRUE(events->connect_level(kLevel, second, second_resample));
  event->signal();
  second->signal();
  EXPECT_THAT(serve(), ElementsAre(kLevelVector));
  EXPECT_EQ(resample->take(), 1u);
  EXPECT_EQ(second_resample->take(), 1u);
  write_redirection(kLevel, 0x18000 | kLevelVector);  // masked
  event->signal();
  second->signal();
  settle();
  events->disconnect(*first_id);
  write_redirection(kLevel, 0x8000 | kLevelVector);
  EXPECT_THAT(serve(), ElementsAre(kLevelVector));  // the other holds the wire up
  EXPECT_THAT(serve(), IsEmpty());
}

TEST_F(EventInterruptsTest, AMessageMayBeChangedAndMasked) {
  const auto id = message(event);
  event->signal();
  EXPECT_THAT(serve(), ElementsAre(kMessageVector));
  ASSERT_TRUE(events->change_message(id, {0xfee00000, 0x55}));
  event->signal();
  EXPECT_THAT(serve(), ElementsAre(0x55));
  ASSERT_TRUE(events->set_masked(id, true));
  event->signal();
  event->signal();
  EXPECT_THAT(serve(), IsEmpty());
  ASSERT_TRUE(events->change_message(id, {0xfee00000, 0x56}));
  ASSERT_TRUE(events->set_masked(id, false));
  EXPECT_THAT(serve(), ElementsAre(0x56));
}

TEST_F(EventInterruptsTest, NothingComesOnceDisconnectedUnderLoad) {
  std::atomic<bool> done{false};
  std::thread device([&] {
    while (!done) event->signal();
  });
  for (int i = 0; i < 100; ++i) {
    const auto id = message(event);
    if (i % 2) settle();
    events->disconnect(id);
    while (apic.acknowledge()) apic.write(0xb0, 0, 4);
    EXPECT_THAT(serve(), IsEmpty());
  }
  done = true;
  device.join();
}

TEST_F(EventInterruptsTest, AWireThatDoesNotExistIsAnError) {
  EXPECT_FALSE(events->connect_edge(24, event));
}

// An accelerator's side that notes what it is asked, and may refuse.
struct FakeKernel : InterruptEvents {
  Result<> attach(unsigned number, const Notifier&, const Notifier* resample) override {
    if (refuses) return fail(ErrorKind::kUnavailable, "no");
    told += fmt::format("+{}{} ", number, resample ? "r" : "");
    return {};
  }
  void detach(unsigned number, const Notifier&) override { told += fmt::format("-{} ", number); }
  Result<unsigned> add_message(u64, u32 data) override {
    told += fmt::format("m{:x} ", data);
    return 24u;
  }
  Result<> change_message(unsigned number, u64, u32 data) override {
    told += fmt::format("{}={:x} ", number, data);
    return {};
  }
  void remove_message(unsigned number) override { told += fmt::format("x{} ", number); }
  std::string take() { return std::exchange(told, {}); }
  std::string told;
  bool refuses = false;
};

TEST_F(EventInterruptsTest, ConnectionsMoveToTheKernelAndBack) {
  FakeKernel kernel;
  auto level = make_notifier();
  const auto id = message(event);
  ASSERT_TRUE(events->connect_level(kLevel, level, resample));
  level->signal();
  settle();
  ASSERT_TRUE(events->use(&kernel));
  EXPECT_EQ(kernel.take(), "m43 +24 +17r ");
  EXPECT_EQ(resample->take(), 1u);  // its device says again what it wants
  event->signal();
  settle();
  ASSERT_TRUE(events->change_message(id, {0xfee00000, 0x44}));
  ASSERT_TRUE(events->set_masked(id, true));
  ASSERT_TRUE(events->set_masked(id, false));
  EXPECT_EQ(kernel.take(), "24=44 -24 +24 ");
  while (apic.acknowledge()) apic.write(0xb0, 0, 4);
  ASSERT_TRUE(events->use(nullptr));
  EXPECT_EQ(kernel.take(), "-24 x24 -17 ");
  EXPECT_THAT(serve(), ElementsAre(0x44));  // what was signalled meanwhile
  ASSERT_TRUE(events->use(&kernel));
  kernel.take();
  events->disconnect(id);
  EXPECT_EQ(kernel.take(), "-24 x24 ");
  ASSERT_TRUE(events->use(nullptr));  // before `kernel` goes
}

TEST_F(EventInterruptsTest, AKernelThatRefusesLeavesEverythingWithTheLoop) {
  FakeKernel kernel;
  kernel.refuses = true;
  message(event);
  EXPECT_FALSE(events->use(&kernel));
  event->signal();
  EXPECT_THAT(serve(), ElementsAre(kMessageVector));
}

TEST(Pic8259EndOfInterrupt, IsToldBeforeTheWireIsLookedAtAgain) {
  std::vector<bool> intr;
  Pic8259Pair pic(Line([&](bool level) { intr.push_back(level); }));
  std::vector<unsigned> ended;
  pic.on_end_of_interrupt([&](unsigned irq) {
    ended.push_back(irq);
    pic.set_irq(irq, false);
  });
  pic.elcr_ports().write(1, 0x04, 1);  // IRQ 10 is level-triggered
  for (IoHandler* ports : {&pic.master_ports(), &pic.slave_ports()}) {
    ports->write(0, 0x11, 1);  // ICW1
    ports->write(1, ports == &pic.master_ports() ? 0x20 : 0x28, 1);
    ports->write(1, ports == &pic.master_ports() ? 0x04 : 0x02, 1);
    ports->write(1, 0x01, 1);
    ports->write(1, 0x00, 1);
  }
  pic.set_irq(10, true);
  EXPECT_EQ(pic.acknowledge(), 0x2a);
  EXPECT_THAT(ended, IsEmpty());
  pic.slave_ports().write(0, 0x20, 1);  // EOI
  pic.master_ports().write(0, 0x20, 1);
  EXPECT_THAT(ended, ElementsAre(10, 2));
  EXPECT_FALSE(pic.pending());
  EXPECT_THAT(intr, ElementsAre(true, false));
}

}  // namespace
}  // namespace kite
