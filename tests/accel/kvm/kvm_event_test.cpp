// Descriptors as interrupts of KVM's own controllers (KVM_IRQFD), by way of the machine's
// EventInterrupts.
#include <thread>

#include "accel/kvm/device.h"
#include "machine/event_interrupts.h"
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

constexpr unsigned kWire = 20;
constexpr int kFirstVector = 0x40, kVectors = 4;

std::shared_ptr<Notifier> make_notifier() {
  auto made = Notifier::create();
  EXPECT_TRUE(made) << made.error().message;
  return std::make_shared<Notifier>(std::move(*made));
}

// Counts by the vector that the guest writes.
struct Counter : IoHandler {
  u64 read(u64, unsigned) override { return 0; }
  void write(u64, u64 value, unsigned) override { ++counts[value % kVectors]; }
  std::atomic<u64> counts[kVectors] = {};
};

class KvmEvents : public KvmGuest {
 protected:
  KvmEvents() { kernel_irqchip = true; }
  void SetUp() override {
    if (auto device = kvm::open_device("/dev/kvm"); device && !device->capabilities.irqchip)
      GTEST_SKIP() << "this host's KVM has no interrupt controllers in the kernel";
    KvmGuest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!accelerator->chips()->events()) GTEST_SKIP() << "this host's KVM has no KVM_IRQFD";
    ASSERT_TRUE(ports.map("counter", kCounter, 1, counter));
    auto made = EventLoop::create(clock);
    ASSERT_TRUE(made);
    loop = std::move(*made);
    events = std::make_unique<MachineEventInterrupts>(
        *loop, MachineEventInterrupts::Controllers{[](unsigned, bool) {}, [](u64, u32) {}});
    ASSERT_TRUE(events->use(accelerator->chips()->events()));
    start_guest();
  }
  void TearDown() override {
    if (guest.joinable()) {
      vcpu->kick();
      guest.join();
    }
    events.reset();
    vcpu.reset();
    accelerator.reset();
  }

  // Handlers that write their number to a port and the EOI register, which ES leads to.
  void start_guest() {
    for (int i = 0; i < kVectors; ++i) {
      const u64 handler = 0x2000 + static_cast<u64>(i) * 0x10;
      put(handler, {0xb0, i, 0xe6, kCounter,            // mov al, i; out kCounter, al
                    0x26, 0x66, 0xa3, 0xb0, 0, 0xcf});  // mov es:[0b0h], eax; iret
      put(4 * static_cast<u64>(kFirstVector + i), {static_cast<int>(handler & 0xff), 0x20, 0, 0});
    }
    put(kProgram, {0xfb, 0xf4, 0xeb, 0xfd});  // sti; hlt; jmp to it
    X86State state = real_mode();
    state.segments[kEs].base = 0xfee00000;
    state.apic = LocalApicState{};
    state.apic->apic_base = msr::kApicBaseDefault | msr::kApicBaseEnable | msr::kApicBaseBsp;
    for (std::size_t lvt : {0x32, 0x33, 0x34, 0x35, 0x36, 0x37})
      state.apic->registers[lvt] = 0x10000;
    state.apic->registers[3] = 0x50014;
    state.apic->registers[14] = 0xffffffff;
    state.apic->registers[15] = 0x1ff;
    ASSERT_TRUE(vcpu->set_state(state));
    set_redirection(kFirstVector);
    guest = std::thread([this] {
      auto exit = vcpu->run(kNever);
      EXPECT_TRUE(exit) << exit.error().message;
    });
  }
  void set_redirection(u64 entry) {
    ChipStates states;
    states.io_apic.redirection.fill(0x10000);
    states.io_apic.redirection[kWire] = entry;
    ASSERT_TRUE(accelerator->chips()->load(states, 0));
  }
  void wait_for(int vector, u64 count) {
    while (counter.counts[vector] < count) std::this_thread::yield();
  }
  void wait_for_resample() {
    while (resample->take() == 0) std::this_thread::yield();
  }

  static constexpr int kCounter = 0x90;
  Counter counter;
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<MachineEventInterrupts> events;
  std::thread guest;
  std::shared_ptr<Notifier> event = make_notifier(), resample = make_notifier();
};

TEST_F(KvmEvents, EachSignalIsAnEdge) {
  ASSERT_TRUE(events->connect_edge(kWire, event));
  for (u64 i = 1; i <= 8; ++i) {
    event->signal();
    wait_for(0, i);
  }
  EXPECT_EQ(counter.counts[0], 8u);
}

TEST_F(KvmEvents, ALevelComesAsOftenAsTheDeviceWantsIt) {
  set_redirection(0x8000 | (kFirstVector + 1));
  ASSERT_TRUE(events->connect_level(kWire, event, resample));
  constexpr u64 kTimes = 5;
  for (u64 work = kTimes; work > 0; --work) {
    event->signal();
    wait_for_resample();
  }
  auto marker = make_notifier();  // what comes after would have let another one through
  ASSERT_TRUE(events->connect_message({0xfee00000, kFirstVector}, marker));
  marker->signal();
  wait_for(0, 1);
  EXPECT_EQ(counter.counts[1], kTimes);
}

TEST_F(KvmEvents, AMessageMayBeChangedAndMasked) {
  auto id = events->connect_message({0xfee00000, kFirstVector}, event);
  ASSERT_TRUE(id) << id.error().message;
  event->signal();
  wait_for(0, 1);
  ASSERT_TRUE(events->change_message(*id, {0xfee00000, kFirstVector + 2}));
  event->signal();
  wait_for(2, 1);
  ASSERT_TRUE(events->set_masked(*id, true));
  event->signal();
  event->signal();
  ASSERT_TRUE(events->change_message(*id, {0xfee00000, kFirstVector + 3}));
  ASSERT_TRUE(events->set_masked(*id, false));
  wait_for(3, 1);
  EXPECT_EQ(counter.counts[0], 1u);
  EXPECT_EQ(counter.counts[2], 1u);
}

TEST_F(KvmEvents, AnAddressThatIsNoMessageReachesNobodyAndHurtsNoOther) {
  auto other = make_notifier();
  ASSERT_TRUE(events->connect_message({0xffffffff12345678, 0x40}, other));
  ASSERT_TRUE(events->connect_message({0xfee00000, kFirstVector + 1}, event));
  other->signal();
  event->signal();
  wait_for(1, 1);
  EXPECT_EQ(counter.counts[0], 0u);
}

TEST_F(KvmEvents, NothingComesOnceDisconnectedUnderLoad) {
  std::atomic<bool> done{false};
  std::thread device([&] {
    while (!done) event->signal();
  });
  auto marker = make_notifier();  // of the lower priority: it comes behind what is pending
  ASSERT_TRUE(events->connect_message({0xfee00000, kFirstVector}, marker));
  for (u64 i = 1; i <= 4; ++i) {
    auto id = events->connect_message({0xfee00000, kFirstVector + 1}, event);
    ASSERT_TRUE(id);
    events->disconnect(*id);
    for (u64 rounds : {2 * i - 1, 2 * i}) {  // what was sent before is taken by then
      marker->signal();
      wait_for(0, rounds);
    }
    const u64 before = counter.counts[1];
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(counter.counts[1], before);
  }
  done = true;
  device.join();
}

}  // namespace
}  // namespace kite
