// Doorbells under KVM: rung inside KVM_RUN where KVM can, and never lost or rung twice.
#include <thread>

#include "accel/kvm/device.h"
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

class KvmDoorbells : public KvmGuest {
 protected:
  void SetUp() override {
    KvmGuest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto made = Notifier::create();
    ASSERT_TRUE(made) << made.error().message;
    bell = std::make_shared<Notifier>(std::move(*made));
    device_region = Region::mmio("device", kPageSize, device);
    window = AddressSpace::Edit(memory).map(
        {.start = kDevice, .size = kPageSize, .region = device_region});
  }
  void TearDown() override {
    vcpu.reset();
    accelerator.reset();
  }

  // Stores EAX to [rdi] and writes AL to port DX, ECX times.
  X86State storing(u32 times) {
    put(kProgram, {0x89, 0x07, 0xee,                // again: mov [rdi], eax; out dx, al
                   0xff, 0xc9, 0x75, 0xf9, 0xf4});  // dec ecx; jnz again; hlt
    X86State state = long_mode();
    state.gpr[kRdi] = kDevice + 0x50;
    state.gpr[kRdx] = kPort;
    state.gpr[kRax] = 5;
    state.gpr[kRcx] = times;
    return state;
  }

  static constexpr u64 kDevice = 0xd0020000;
  std::shared_ptr<Notifier> bell;
  Recorder device;
  std::shared_ptr<const Region> device_region;
  WindowId window = 0;
};

TEST_F(KvmDoorbells, RingInPlaceOfTheHandlers) {
  AddressSpace::Edit(memory).add_doorbell(device_region,
                                          {.offset = 0x50, .size = 4, .notifier = bell});
  ports.add_doorbell({.offset = kPort, .size = 1, .value = 5, .notifier = bell});
  run_to_halt(storing(10));
  EXPECT_EQ(bell->take(), 20u);
  EXPECT_TRUE(device.seen.empty());
  EXPECT_TRUE(port_recorder.seen.empty());
}

TEST_F(KvmDoorbells, OtherWidthsAndValuesReachTheHandlers) {
  AddressSpace::Edit(memory).add_doorbell(device_region,
                                          {.offset = 0x50, .size = 2, .notifier = bell});
  ports.add_doorbell({.offset = kPort, .size = 1, .value = 6, .notifier = bell});
  run_to_halt(storing(3));
  EXPECT_EQ(bell->take(), 0u);
  EXPECT_EQ(device.seen.size(), 3u);
  EXPECT_EQ(port_recorder.seen.size(), 3u);
}

TEST_F(KvmDoorbells, OfAnyWidthRing) {
  AddressSpace::Edit(memory).add_doorbell(device_region, {.offset = 0x50, .notifier = bell});
  ports.add_doorbell({.offset = kPort, .notifier = bell});
  run_to_halt(storing(4));
  EXPECT_EQ(bell->take(), 8u);
}

TEST_F(KvmDoorbells, MoveWithTheirWindowAndGo) {
  const DoorbellId id = AddressSpace::Edit(memory).add_doorbell(
      device_region, {.offset = 0x50, .size = 4, .notifier = bell});
  AddressSpace::Edit(memory).move(window, kDevice + 0x10000);
  X86State state = storing(2);
  state.gpr[kRdi] += 0x10000;
  run_to_halt(state);
  EXPECT_EQ(bell->take(), 2u);
  AddressSpace::Edit(memory).remove_doorbell(id);
  run_to_halt(state);
  EXPECT_EQ(bell->take(), 0u);
  EXPECT_EQ(device.seen.size(), 2u);
}

TEST_F(KvmDoorbells, EveryStoreArrivesOnceWhileTheyComeAndGo) {
  constexpr u32 kStores = 2000;
  ASSERT_TRUE(vcpu->set_state(storing(kStores)));
  std::atomic<bool> done{false};
  std::thread editor([&] {
    while (!done) {
      const DoorbellId id = AddressSpace::Edit(memory).add_doorbell(
          device_region, {.offset = 0x50, .size = 4, .notifier = bell});
      const DoorbellId port = ports.add_doorbell({.offset = kPort, .size = 1, .notifier = bell});
      std::this_thread::yield();
      ports.remove_doorbell(port);
      AddressSpace::Edit(memory).remove_doorbell(id);
    }
  });
  EXPECT_EQ(run().kind, Exit::Kind::kHalted);
  done = true;
  editor.join();
  EXPECT_EQ(bell->take() + device.seen.size() + port_recorder.seen.size(), 2u * kStores);
}

}  // namespace
}  // namespace kite
