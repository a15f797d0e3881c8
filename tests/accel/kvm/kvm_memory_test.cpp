// The address space as KVM's memory slots.
#include <thread>

#include "accel/kvm/slots.h"
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

TEST(KvmSlots, AreCutToWholePages) {
  HostMemory ram = anonymous_memory(16 * kPageSize);
  auto region = Region::ram("ram", ram);
  const u64 host = reinterpret_cast<u64>(ram.data());
  FlatView view({{0x100, 0x2f00, region, 0x100},      // pages 1 and 2
                 {0x5000, 0x800, region, 0x5000},     // no whole page
                 {0x7800, 0x1000, region, 0x7800},    // none either
                 {0xa000, 0x1000, region, 0x1800}});  // host memory between pages
  auto slots = kvm::slots_for(view, true);
  EXPECT_EQ(slots, (std::vector<kvm::SlotContent>{{0x1000, 0x2000, host + 0x1000, false}}));
}

TEST(KvmSlots, RegistersHaveNoneAndRomIsReadOnly) {
  HostMemory memory = anonymous_memory(kPageSize);
  Recorder recorder;
  FlatView view({{0, kPageSize, Region::rom("rom", memory), 0},
                 {kPageSize, kPageSize, Region::mmio("registers", kPageSize, recorder), 0}});
  auto slots = kvm::slots_for(view, true);
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_TRUE(slots[0].readonly);
  EXPECT_TRUE(kvm::slots_for(view, false).empty());
}

TEST_F(KvmGuest, RomIsReadDirectlyAndItsWritesGoToTheHandler) {
  HostMemory rom = anonymous_memory(kPageSize);
  rom.data()[4] = 0x5a;
  Recorder writes;
  AddressSpace::Edit(memory).map(
      {.start = 0x200000, .size = kPageSize, .region = Region::rom("rom", rom, &writes)});
  put(kProgram, {0x8a, 0x47, 0x04,          // mov al, [rdi+4]
                 0xc6, 0x47, 0x04, 0x77,    // mov byte [rdi+4], 77h
                 0x8a, 0x67, 0x04, 0xf4});  // mov ah, [rdi+4]; hlt
  X86State state = long_mode();
  state.gpr[kRdi] = 0x200000;
  run_to_halt(state);
  EXPECT_EQ(vcpu->state().gpr[kRax] & 0xffff, 0x5a5au);
  EXPECT_EQ(writes.seen, (std::vector<Access>{{true, 4, 0x77, 1}}));
  vcpu.reset();
  accelerator.reset();  // before the ROM goes
}

TEST_F(KvmGuest, AnEditWhileTheGuestRunsIsSeenAndNothingInBetween) {
  HostMemory first = anonymous_memory(kPageSize), second = anonymous_memory(kPageSize);
  first.data()[0] = 1;
  second.data()[0] = 1;
  const WindowId ids[] = {AddressSpace::Edit(memory).map(
      {.start = 0x200000, .size = kPageSize, .region = Region::ram("first", first)})};
  WindowId shown = ids[0];
  // Reads [rdi] until it is 2; anything but 1 and 2 is counted in ECX.
  put(kProgram, {0x8a, 0x07,  // again: mov al, [rdi]
                 0x3c, 0x02,  // cmp al, 2
                 0x74, 0x08,  // je done
                 0x3c, 0x01,  // cmp al, 1
                 0x74, 0xf6,  // je again
                 0xff, 0xc1,  // inc ecx
                 0xeb, 0xf2,  // jmp again
                 0xf4});      // done: hlt
  X86State state = long_mode();
  state.gpr[kRdi] = 0x200000;
  ASSERT_TRUE(vcpu->set_state(state));
  std::thread editor([&] {
    auto one = Region::ram("first", first), two = Region::ram("second", second);
    auto rom = Region::rom("third", first);
    for (int i = 0; i < 1000; ++i) {  // as firmware does with the PAM registers
      AddressSpace::Edit edit(memory);
      edit.unmap(shown);
      shown = edit.map({.start = 0x200000,
                        .size = kPageSize,
                        .region = i % 3 == 0   ? one
                                  : i % 3 == 1 ? two
                                               : rom});
    }
    first.data()[0] = second.data()[0] = 2;
  });
  EXPECT_EQ(run().kind, Exit::Kind::kHalted);
  editor.join();
  EXPECT_EQ(vcpu->state().gpr[kRcx], 0u);
  vcpu.reset();
  accelerator.reset();  // before the memory goes
}

TEST(KvmSlots, MoreMemoryThanThereAreSlotsIsAnErrorThatSaysSo) {
  HostMemory pages = anonymous_memory(8 * kPageSize);
  auto region = Region::ram("pages", pages);
  kvm::Gate gate;
  DirtyLog log;
  // No virtual machine behind it: the first slot is refused, and so is what does not fit.
  for (u32 count : {0u, 4u}) {
    kvm::Slots slots({.vm_fd = -1, .count = count, .readonly_possible = true}, gate, log,
                     kvm::make_dirty_bitmaps(-1, false));
    slots.memory_changed({}, FlatView({{0, kPageSize, region, 0}}));
    ASSERT_FALSE(slots.health());
    EXPECT_NE(slots.health().error().message.find(count == 0 ? "more than the 0 memory slots"
                                                             : "KVM refuses memory slot 0 of 4"),
              std::string::npos)
        << slots.health().error().message;
  }
}

TEST_F(KvmGuest, ADeviceMayEditTheAddressSpaceFromItsHandler) {
  struct Switch : IoHandler {
    explicit Switch(AddressSpace& space, HostMemory& memory) : space(space), memory(memory) {}
    u64 read(u64, unsigned) override { return 0; }
    void write(u64, u64, unsigned) override {
      AddressSpace::Edit(space).map({.start = 0x10000,
                                     .size = kPageSize,
                                     .region = Region::ram("over", memory),
                                     .priority = 1});
    }
    AddressSpace& space;
    HostMemory& memory;
  };
  HostMemory over = anonymous_memory(kPageSize);
  over.data()[0] = 0x99;
  Switch handler(memory, over);
  ASSERT_TRUE(ports.map("switch", 0x100, 1, handler));
  put(kProgram, {0x8a, 0x27, 0xba, 0x00, 0x01, 0x00, 0x00,  // mov ah, [rdi]; mov edx, 100h
                 0xee, 0x8a, 0x07, 0xf4});                  // out dx, al; mov al, [rdi]; hlt
  X86State state = long_mode();
  state.gpr[kRdi] = 0x10000;
  run_to_halt(state);
  EXPECT_EQ(vcpu->state().gpr[kRax] & 0xffff, 0x0099u);
  vcpu.reset();
  accelerator.reset();
}

}  // namespace
}  // namespace kite
