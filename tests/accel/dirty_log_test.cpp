// The dirty log with every accelerator: what guests, devices and KVM itself write is reported,
// once.
#include "memory/dirty_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>

#include "accel/x86/msr.h"
#include "accel/x86/registers.h"
#include "machine/accelerators.h"
#include "memory/backend.h"
#include "memory/guest_access.h"

namespace kite {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

constexpr u64 kRamSize = 16 * MiB;
constexpr u64 kProgram = 0x1000;
constexpr u64 kStopFlag = 0x800;
constexpr u16 kPort = 0x80;

struct Way {
  const char* name;
  const char* kind;
  u32 ring;
};
void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

struct Ones : IoHandler {
  u64 read(u64, unsigned) override { return 0xff; }
  void write(u64, u64, unsigned) override {}
};

HostMemory make_ram(u64 size) {
  BackendConfig config;
  config.kind = "ram";
  config.size = size;
  auto made = allocate(config);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

class GuestDirtyLog : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    const AcceleratorKind* kind = find_kind();
    if (kind == nullptr) GTEST_SKIP() << GetParam().kind << " is not part of this build";
    if (auto usable = kind->probe(); !usable) GTEST_SKIP() << usable.error().message;
    ram = make_ram(kRamSize);
    ASSERT_TRUE(ports.map("ones", kPort, 1, ones));
    window = AddressSpace::Edit(memory).map(
        {.start = 0, .size = kRamSize, .region = Region::ram("ram", ram)});
    model = *find_cpu_model("x86-64-v2");
    AcceleratorConfig config{
        .memory = memory, .ports = ports, .clock = clock, .model = model, .cpus = 2};
    config.options.kernel_irqchip = false;  // a HLT is to end run()
    config.options.dirty_ring_size = GetParam().ring;
    auto created = kind->create(config);
    if (!created && created.error().message.find("dirty-ring-size") != std::string::npos)
      GTEST_SKIP() << created.error().message;
    ASSERT_TRUE(created) << created.error().message;
    accelerator = std::move(*created);
    for (u32 i = 0; i < 2; ++i) {
      auto made = accelerator->create_vcpu({.index = i, .apic_id = i, .cpus = 2});
      ASSERT_TRUE(made) << made.error().message;
      vcpus[i] = std::move(*made);
    }
  }
  void TearDown() override {
    log().stop();
    for (auto& vcpu : vcpus) vcpu.reset();
    accelerator.reset();
  }
  const AcceleratorKind* find_kind() {
    for (const AcceleratorKind* kind : accelerator_kinds())
      if (kind->name == GetParam().kind) return kind;
    return nullptr;
  }
  bool is_kvm() const { return std::string_view(GetParam().kind) == "kvm"; }

  DirtyLog& log() { return memory.dirty_log(); }
  void put(u64 address, std::initializer_list<int> bytes) {
    for (int byte : bytes) ram.data()[address++] = static_cast<u8>(byte);
  }

  // Flat, without paging, so that nobody but the program writes.
  X86State protected_mode() {
    X86State state = X86State::after_reset();
    state.cr0 = cr0::kPe | cr0::kEt | cr0::kNe;
    for (Segment& segment : state.segments)
      segment = {.selector = 0x10, .limit = 0xffffffff, .type = 3, .db = true, .g = true};
    state.segments[kCs].selector = 8;
    state.segments[kCs].type = 11;
    state.rip = kProgram;
    state.gpr[kRsp] = 0x8000;
    return state;
  }

  void run_to_halt(const X86State& state, unsigned index = 0) {
    auto set = vcpus[index]->set_state(state);
    ASSERT_TRUE(set) << set.error().message;
    run_on(index);
  }
  void run_on(unsigned index) {
    auto exit = vcpus[index]->run(kNever);
    ASSERT_TRUE(exit) << exit.error().message;
    EXPECT_EQ(exit->kind, Exit::Kind::kHalted);
  }

  // Writes a byte to `count` pages from `first`, every `stride`th.
  void write_pages(u64 first, u64 count, u64 stride) {
    put(kProgram, {0x88, 0x07,                    // again: mov [edi], al
                   0x01, 0xd7, 0x49, 0x75, 0xf9,  // add edi, edx; dec ecx; jnz again
                   0xf4});                        // hlt
    X86State state = protected_mode();
    state.gpr[kRdi] = first * kPageSize;
    state.gpr[kRdx] = stride * kPageSize;
    state.gpr[kRcx] = count;
    run_to_halt(state);
  }

  // Counts up in the first word of each of `pages` pages from `first`, round after round, until
  // told to stop. Not in haste: see EveryPageIsReportedWhenMoreAreWrittenThanARingTakes.
  X86State counting(u64 first, u64 pages) {
    put(kProgram, {0x89, 0xde, 0x89, 0xe9,                    // outer: mov esi, ebx; mov ecx, ebp
                   0xff, 0x06,                                // inner: inc dword [esi]
                   0xba, 0x90, 0x01, 0x00, 0x00,              // mov edx, 400
                   0x4a, 0x75, 0xfd,                          // wait: dec edx; jnz wait
                   0x81, 0xc6, 0x00, 0x10, 0x00, 0x00,        // add esi, 1000h
                   0x49, 0x75, 0xed,                          // dec ecx; jnz inner
                   0x80, 0x3d, 0x00, 0x08, 0x00, 0x00, 0x00,  // cmp byte [kStopFlag], 0
                   0x74, 0xe0, 0xf4});                        // je outer; hlt
    X86State state = protected_mode();
    state.gpr[kRbx] = first * kPageSize;
    state.gpr[kRbp] = pages;
    return state;
  }

  // What a client that copies the guest does: all of it once, then what is reported.
  void begin_copy() {
    log().start(ram.data(), ram.size());
    copy.resize(kRamSize);
    guest_read(copy.data(), ram.data(), kRamSize);
  }
  std::size_t follow() {
    const auto pages = log().collect();
    for (u64 page : pages)
      guest_read(copy.data() + page * kPageSize, ram.data() + page * kPageSize, kPageSize);
    return pages.size();
  }
  void follow_times(int times) {
    while (times > 0)
      if (follow() != 0) --times;
  }
  // Pages in which the copy is not what the guest has.
  std::vector<u64> lost() {
    std::vector<u64> pages;
    for (u64 page = 0; page < kRamSize / kPageSize; ++page)
      if (std::memcmp(copy.data() + page * kPageSize, ram.data() + page * kPageSize, kPageSize))
        pages.push_back(page);
    return pages;
  }

  Ones ones;
  HostMemory ram;
  AddressSpace memory;
  WindowId window = 0;
  PortSpace ports;
  RealClock clock;
  CpuModel model;
  std::unique_ptr<Accelerator> accelerator;
  std::unique_ptr<Vcpu> vcpus[2];
  std::vector<u8> copy;
};

TEST_P(GuestDirtyLog, EveryPageTheGuestWritesIsReportedOnce) {
  write_pages(0x100, 300, 1);  // before the log starts
  log().start(ram.data(), ram.size());
  write_pages(0x100, 100, 3);
  std::vector<u64> expected;
  for (u64 i = 0; i < 100; ++i) expected.push_back(0x100 + 3 * i);
  EXPECT_THAT(log().collect(), ElementsAreArray(expected));
  EXPECT_THAT(log().collect(), IsEmpty());
  write_pages(0x103, 2, 1);
  EXPECT_THAT(log().collect(), ElementsAre(0x103, 0x104));
  log().stop();
  write_pages(0x100, 1, 1);
  log().start(ram.data(), ram.size());
  EXPECT_THAT(log().collect(), IsEmpty());
}

std::vector<u64> pages_from(u64 first, u64 count) {
  std::vector<u64> pages(count);
  std::iota(pages.begin(), pages.end(), first);
  return pages;
}
constexpr u64 kMorePagesThanARingTakes = 1500;

// 500 instructions from page to page: a KVM that interprets looks only after some thousands whether
// the ring is full, and has 64 entries in reserve.
TEST_P(GuestDirtyLog, EveryPageIsReportedWhenMoreAreWrittenThanARingTakes) {
  log().start(ram.data(), ram.size());
  put(kProgram, {0x88, 0x07, 0x01, 0xd7,    // again: mov [edi], al; add edi, edx
                 0xbb, 0xfa, 0, 0, 0,       // mov ebx, 250
                 0x4b, 0x75, 0xfd,          // wait: dec ebx; jnz wait
                 0x49, 0x75, 0xf1, 0xf4});  // dec ecx; jnz again; hlt
  X86State state = protected_mode();
  state.gpr[kRdi] = 0x100000;
  state.gpr[kRdx] = kPageSize;
  state.gpr[kRcx] = kMorePagesThanARingTakes;
  run_to_halt(state);
  EXPECT_THAT(log().collect(), ElementsAreArray(pages_from(0x100, kMorePagesThanARingTakes)));
  EXPECT_THAT(log().collect(), IsEmpty());
}

TEST_P(GuestDirtyLog, DevicesAndStringInputAreReported) {
  log().start(ram.data(), ram.size());
  memory.write_value(0x20ffe, 0x11223344, 4);
  put(kProgram, {0xfc, 0xba, 0x80, 0, 0, 0, 0xf3, 0x6c, 0xf4});  // cld; mov edx, 80h; rep insb; hlt
  X86State state = protected_mode();
  state.gpr[kRdi] = 0x40ff0;
  state.gpr[kRcx] = 0x20;
  run_to_halt(state);
  EXPECT_THAT(log().collect(), ElementsAre(0x20, 0x21, 0x40, 0x41));
  EXPECT_THAT(log().collect(), IsEmpty());
}

TEST_P(GuestDirtyLog, WhatKvmItselfWritesIsReported) {
  if (!is_kvm()) GTEST_SKIP() << "only KVM writes to a guest's memory by itself";
  put(kProgram, {0xb9, 0x01, 0x4d, 0x56, 0x4b,  // mov ecx, 4B564D01h: MSR_KVM_SYSTEM_TIME_NEW
                 0xb8, 0x01, 0x00, 0x05, 0x00,  // mov eax, 50001h
                 0x31, 0xd2, 0x0f, 0x30,        // xor edx, edx; wrmsr
                 0xe6, 0x80, 0xf4});            // out 80h, al; hlt
  log().start(ram.data(), ram.size());
  run_to_halt(protected_mode());
  EXPECT_THAT(log().collect(), ElementsAre(0x50));
  EXPECT_NE(memory.read_value(0x50000 + 24, 4), 0u);  // pvclock's multiplier
}

TEST_P(GuestDirtyLog, NoPageIsLostWhileProcessorsWriteAndOthersCollect) {
  constexpr u64 kPages = 40;
  for (unsigned i = 0; i < 2; ++i) {
    auto set = vcpus[i]->set_state(counting(0x100 + i * 0x100, kPages));
    ASSERT_TRUE(set) << set.error().message;
  }
  std::thread threads[] = {std::thread([&] { run_on(0); }), std::thread([&] { run_on(1); })};
  while (memory.read_value(0x100000, 4) == 0 || memory.read_value(0x200000, 4) == 0)
    std::this_thread::yield();
  for (int round = 0; round < 3; ++round) {  // the log starts while they write
    begin_copy();
    follow_times(10);
    if (round < 2) log().stop();
  }
  memory.write_value(kStopFlag, 1, 1);
  for (std::thread& thread : threads) thread.join();
  follow();
  EXPECT_THAT(lost(), IsEmpty());
  EXPECT_THAT(log().collect(), IsEmpty());
}

// A burst of instructions for another engine is a run too, and it ends.
TEST_P(GuestDirtyLog, StartsAfterABurst) {
  if (is_kvm()) GTEST_SKIP() << "only the interpreter executes bursts";
  put(kProgram, {0x88, 0x07, 0x90, 0xf4});  // mov [edi], al; nop; hlt
  X86State state = protected_mode();
  state.gpr[kRdi] = 0x100000;
  auto burst = vcpus[0]->execute(state, {.instructions = 2});
  ASSERT_TRUE(burst) << burst.error().message;
  log().start(ram.data(), ram.size());
  state.rip = kProgram;
  ASSERT_TRUE(vcpus[0]->execute(state, {.instructions = 2}));
  EXPECT_THAT(log().collect(), ElementsAre(0x100));
}

TEST_P(GuestDirtyLog, NoPageIsLostWhenItsSlotGoes) {
  HostMemory other = make_ram(4 * kPageSize);
  auto region = Region::ram("other", other);
  WindowId id =
      AddressSpace::Edit(memory).map({.start = 0x2000000, .size = other.size(), .region = region});
  log().start(other.data(), other.size());
  write_pages(0x2001, 1, 1);
  AddressSpace::Edit(memory).unmap(id);
  EXPECT_THAT(log().collect(), ElementsAre(1));
  id = AddressSpace::Edit(memory).map({.start = 0x3000000, .size = other.size(), .region = region});
  write_pages(0x3002, 2, 1);
  EXPECT_THAT(log().collect(), ElementsAre(2, 3));
  AddressSpace::Edit(memory).unmap(id);
  TearDown();  // before the memory goes
}

TEST_P(GuestDirtyLog, NoPageIsLostWhileSlotsChange) {
  auto set = vcpus[0]->set_state(counting(0x100, 40));
  ASSERT_TRUE(set) << set.error().message;
  begin_copy();
  std::thread processor([&] { run_on(0); });
  std::atomic<bool> done{false};
  std::thread editor([&] {
    HostMemory over = make_ram(kPageSize);
    auto shown = Region::ram("over", over);
    while (!done) {  // cuts the RAM's slot in two and joins it again
      const WindowId id = AddressSpace::Edit(memory).map(
          {.start = 0xf0000, .size = kPageSize, .region = shown, .priority = 1});
      std::this_thread::yield();
      AddressSpace::Edit(memory).unmap(id);
      std::this_thread::yield();
    }
  });
  follow_times(15);
  done = true;
  editor.join();
  memory.write_value(kStopFlag, 1, 1);
  processor.join();
  follow();
  EXPECT_THAT(lost(), IsEmpty());
}

TEST_P(GuestDirtyLog, RomIsNotWrittenAndSoNotReported) {
  HostMemory rom = make_ram(4 * kPageSize);
  AddressSpace::Edit(memory).map(
      {.start = 0x2000000, .size = rom.size(), .region = Region::rom("rom", rom)});
  log().start(rom.data(), rom.size());
  write_pages(0x2000, 4, 1);
  EXPECT_THAT(log().collect(), IsEmpty());
  EXPECT_EQ(rom.data()[0], 0);
  log().start(ram.data(), ram.size());
  write_pages(0x200, 1, 1);
  EXPECT_THAT(log().collect(), ElementsAre(0x200));
  TearDown();
}

INSTANTIATE_TEST_SUITE_P(Every, GuestDirtyLog,
                         testing::Values(Way{"Tcg", "tcg", 0}, Way{"KvmBitmap", "kvm", 0},
                                         Way{"KvmRing", "kvm", 1024}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace kite
