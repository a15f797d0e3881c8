// A tiny guest on KVM for tests: a stretch of RAM, a program as bytes, and recorders on ports and
// registers.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "accel/kvm/kvm.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/msr.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "memory/host_memory.h"

namespace kite {

inline HostMemory anonymous_memory(u64 size) {
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(data, MAP_FAILED);
  HostMemory::Parts parts;
  parts.data = static_cast<u8*>(data);
  parts.size = parts.mapped_size = size;
  return HostMemory(std::move(parts));
}

struct Access {
  bool write;
  u64 offset;
  u64 value;
  unsigned size;
  bool operator==(const Access&) const = default;
};
inline void PrintTo(const Access& access, std::ostream* out) {
  *out << (access.write ? "write " : "read ") << std::hex << access.offset << " " << access.value
       << " size " << access.size;
}

// Notes every access, and answers reads from a queue, or with `otherwise`.
class Recorder : public IoHandler {
 public:
  u64 read(u64 offset, unsigned size) override {
    u64 value = otherwise;
    if (!answers.empty()) value = answers.front(), answers.pop_front();
    seen.push_back({false, offset, value, size});
    return value;
  }
  void write(u64 offset, u64 value, unsigned size) override {
    seen.push_back({true, offset, value, size});
  }
  std::vector<Access> seen;
  std::deque<u64> answers;
  u64 otherwise = 0;
};

// An interrupt controller whose queue the test fills.
class FakeInterrupts : public InterruptPort {
 public:
  bool pending() override { return waiting.load() != 0; }
  std::optional<u8> acknowledge() override {
    if (waiting.load() == 0) return std::nullopt;
    --waiting;
    ++acknowledged;
    return vector;
  }
  u8 cr8() override { return task_priority; }
  void set_cr8(u8 value) override { task_priority = value; }
  bool read_msr(u32 index, u64& value) override {
    if (index == msr::kApicBase)
      value = 0xfee00900;
    else if (index == 0x802)
      value = 0x1234;  // x2APIC ID
    else if (index == msr::kTscDeadline)
      value = last_deadline;
    else
      return false;
    return true;
  }
  bool write_msr(u32 index, u64 value) override {
    if (index != msr::kTscDeadline) return false;
    last_deadline = value;
    return true;
  }
  std::atomic<int> waiting{0};
  std::atomic<int> acknowledged{0};
  u8 vector = 0x20;
  u8 task_priority = 0;
  u64 last_deadline = 0;
};

inline constexpr u64 kRamSize = 1 * MiB;
inline constexpr u64 kProgram = 0x1000;
inline constexpr u64 kStack = 0x8000;
inline constexpr u16 kPort = 0x80;  // sixteen ports of the recorder
inline constexpr u64 kRegisters = 0xd0000000;

class KvmGuest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto usable = probe_kvm(); !usable) GTEST_SKIP() << usable.error().message;
    if (!ram.data()) ram = anonymous_memory(kRamSize);
    ASSERT_TRUE(ports.map("recorder", kPort, 16, port_recorder));
    {
      AddressSpace::Edit edit(memory);
      edit.map({.start = 0, .size = ram.size(), .region = Region::ram("ram", ram)});
      edit.map({.start = kRegisters,
                .size = kPageSize,
                .region = Region::mmio("registers", kPageSize, registers)});
    }
    model = *find_cpu_model("x86-64-v2");
    AcceleratorConfig config{.memory = memory, .ports = ports, .clock = clock, .model = model};
    config.options.kernel_irqchip = kernel_irqchip;
    auto created = kvm_kind().create(config);
    ASSERT_TRUE(created) << created.error().message;
    accelerator = std::move(*created);
    auto processor =
        accelerator->create_vcpu({.index = 0, .apic_id = 0, .interrupts = &interrupts});
    ASSERT_TRUE(processor) << processor.error().message;
    vcpu = std::move(*processor);
  }

  void put(u64 address, std::initializer_list<int> bytes) {
    for (int byte : bytes) ram.data()[address++] = static_cast<u8>(byte);
  }

  // At kProgram in real mode, every segment at 0.
  X86State real_mode() {
    X86State state = X86State::after_reset();
    for (Segment& segment : state.segments) segment.selector = 0, segment.base = 0;
    state.rip = kProgram;
    state.gpr[kRsp] = kStack;
    return state;
  }

  static Segment flat(u16 selector, u8 type, bool wide, bool long_mode) {
    return {.selector = selector,
            .limit = 0xffffffff,
            .type = type,
            .l = long_mode,
            .db = wide && !long_mode,
            .g = true};
  }

  X86State protected_mode() {
    X86State state = real_mode();
    state.cr0 = cr0::kPe | cr0::kEt | cr0::kNe;
    for (Segment& segment : state.segments) segment = flat(0x10, 3, true, false);
    state.segments[kCs] = flat(8, 11, true, false);
    return state;
  }

  // Identity-mapped by 1 GiB of 2 MiB pages and, for the registers, three more.
  X86State long_mode() {
    constexpr u64 kTables = 0x20000;
    constexpr u64 kRights = pte::kPresent | pte::kWritable | pte::kUser;
    u64* table = reinterpret_cast<u64*>(ram.data() + kTables);
    table[0] = (kTables + 0x1000) | kRights;
    for (u64 i = 0; i < 4; ++i) table[512 + i] = (kTables + 0x2000 + i * 0x1000) | kRights;
    for (u64 i = 0; i < 2048; ++i) table[1024 + i] = i * 2 * MiB | kRights | pte::kLarge;
    X86State state = protected_mode();
    state.cr0 |= cr0::kPg | cr0::kWp;
    state.cr3 = kTables;
    state.cr4 = cr4::kPae | cr4::kOsfxsr;
    state.efer = efer::kLme | efer::kLma;
    state.segments[kCs] = flat(8, 11, true, true);
    return state;
  }

  // Long, for hosts that are loaded and interpret guest code.
  Exit run(Nanos duration = 60 * kSecond) {
    auto exit = vcpu->run(clock.now() + duration);
    EXPECT_TRUE(exit) << exit.error().message;
    return exit.value_or(Exit{Exit::Kind::kDebug});
  }

  // Runs from `state` until the guest halts.
  void run_to_halt(const X86State& state) {
    auto set = vcpu->set_state(state);
    ASSERT_TRUE(set) << set.error().message;
    ASSERT_EQ(run().kind, Exit::Kind::kHalted);
  }

  HostMemory ram;  // 1 MiB, unless a fixture has allocated it
  AddressSpace memory;
  PortSpace ports;
  RealClock clock;
  CpuModel model;
  Recorder port_recorder, registers;
  bool kernel_irqchip = false;  // for a fixture's constructor to set
  FakeInterrupts interrupts;
  std::unique_ptr<Accelerator> accelerator;
  std::unique_ptr<Vcpu> vcpu;
};

}  // namespace kite
