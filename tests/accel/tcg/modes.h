// An interpreted processor in 32-bit protected mode with tables in memory: what tests of task
// switches, virtual-8086 mode, gates and segments start from.
#pragma once

#include <gtest/gtest.h>

#include "accel/tcg/tcg.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "memory/backend.h"

namespace kite {

class StillClock final : public Clock {
 public:
  Nanos now() const override { return 0; }
};

class ModesTest : public testing::Test {
 protected:
  using Bytes = std::vector<u8>;
  static constexpr Gpa kCode = 0x3000, kHandlers = 0x4000, kData = 0x6000, kOther = 0x7000;
  static constexpr Gpa kGdt = 0x20000, kIdt = 0x21000, kTss = 0x22000, kNextTss = 0x23000,
                       kLdt = 0x24000;
  static constexpr u64 kStack = 0x30000, kInnerStack = 0x31000, kNextStack = 0x32000;
  // Selectors.
  static constexpr u16 kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x1b, kData3 = 0x23, kTask = 0x28,
                       kNextTask = 0x30, kFree = 0x38, kFree2 = 0x40, kGate = 0x48;
  static constexpr u8 kHlt = 0xf4;

  explicit ModesTest(std::string_view model = "max") : model_(*find_cpu_model(model)) {
    memory_ = std::move(*allocate(*parse_backend("ram,size=4M")));
    AddressSpace::Edit(space_).map({0, memory_.size(), Region::ram("ram", memory_)});
    accelerator_ = *tcg_kind().create({space_, ports_, clock_, model_});
    vcpu_ = *accelerator_->create_vcpu({});
    put64(kGdt + kCode0, 0x00cf9b000000ffff);
    put64(kGdt + kData0, 0x00cf93000000ffff);
    put64(kGdt + (kCode3 & ~7), 0x00cffb000000ffff);
    put64(kGdt + (kData3 & ~7), 0x00cff3000000ffff);
    put64(kGdt + kTask, system_descriptor(kTss, 0x2fff, 0x8b));
    put64(kGdt + kNextTask, system_descriptor(kNextTss, 0x67, 0x89));
    for (unsigned vector = 0; vector < 0x60; ++vector) gate(static_cast<u8>(vector), 0xee);
    put32(kTss + 4, kInnerStack);
    put32(kTss + 8, kData0);
    put32(kTss + 0x64, 0x68u << 16);
    state_ = X86State::after_reset();
    state_.cr0 = cr0::kPe | cr0::kEt;
    state_.segments.fill(flat(kData0, 3, 0));
    state_.segments[kCs] = flat(kCode0, 11, 0);
    state_.gdtr = {kGdt, 0xff};
    state_.idtr = {kIdt, 0x7ff};
    state_.tr = unpack_descriptor(kTask, get64(kGdt + kTask));
    state_.ldtr.unusable = true;
    state_.gpr[kRsp] = kStack;
    state_.rip = kCode;
  }

  // Another processor in the place of the first, whose interrupts come from `port`.
  void connect(InterruptPort& port) {
    vcpu_.reset();
    accelerator_.reset();
    accelerator_ = *tcg_kind().create({space_, ports_, clock_, model_});
    vcpu_ = *accelerator_->create_vcpu({.interrupts = &port});
  }

  static Segment flat(u16 selector, u8 type, u8 dpl) {
    return {
        .selector = selector, .limit = 0xffffffff, .type = type, .dpl = dpl, .db = true, .g = true};
  }
  // A descriptor of at most 1 MiB; `access` is its byte 5, `flags` the upper half of byte 6.
  static u64 system_descriptor(u64 base, u32 limit, u8 access, u8 flags = 0) {
    return (limit & 0xffff) | (base & 0xffffff) << 16 | u64{access} << 40 |
           u64{(limit >> 16) & 0xf} << 48 | u64{flags} << 52 | (base >> 24) << 56;
  }
  void put8(Gpa at, u8 value) { space_.write_value(at, value, 1); }
  void put16(Gpa at, u16 value) { space_.write_value(at, value, 2); }
  void put32(Gpa at, u64 value) { space_.write_value(at, value & 0xffffffff, 4); }
  void put64(Gpa at, u64 value) { space_.write_value(at, value, 8); }
  u16 get16(Gpa at) { return static_cast<u16>(space_.read_value(at, 2)); }
  u32 get32(Gpa at) { return static_cast<u32>(space_.read_value(at, 4)); }
  u64 get64(Gpa at) { return space_.read_value(at, 8); }

  static Gpa handler(u8 vector) { return kHandlers + vector * 16u; }
  // A 32-bit interrupt gate of `access` to a handler that is `code` and HLT.
  void gate(u8 vector, u8 access, Bytes code = {}) {
    code.push_back(kHlt);
    space_.write(handler(vector), code);
    put64(kIdt + vector * 8u, handler(vector) | u64{kCode0} << 16 | u64{access} << 40);
  }
  void task_gate(u8 vector, u16 task) {
    put64(kIdt + vector * 8u, u64{task} << 16 | u64{0xe5} << 40);
  }

  // A 32-bit TSS to which a switch succeeds: code at kOther, level 0.
  void prepare_next(u64 eflags = 2) {
    for (unsigned i = 0; i < 0x68; i += 4) put32(kNextTss + i, 0);
    put32(kNextTss + 4, kInnerStack);
    put32(kNextTss + 8, kData0);
    put32(kNextTss + 0x20, kOther);
    put32(kNextTss + 0x24, eflags);
    for (unsigned i = 0; i < 8; ++i) put32(kNextTss + 0x28 + 4 * i, 0x11111111u * (i + 1));
    put32(kNextTss + 0x38, kNextStack);
    for (unsigned i = 0; i < 6; ++i) put32(kNextTss + 0x48 + 4 * i, kData0);
    put32(kNextTss + 0x4c, kCode0);
    put8(kOther, kHlt);
  }

  // From here on: 64-bit mode at CPL 0, the low 2 MiB as they are for every level, and 64-bit
  // gates. kCode0 is 64-bit code, kCode3 stays 32-bit code, kFree is 64-bit code of level 3.
  static constexpr u16 kCode64User = kFree | 3;
  void enter_long_mode() {
    constexpr Gpa kPml4 = 0x50000, kPdpt = 0x51000, kDirectory = 0x52000;
    put64(kPml4, kPdpt | 7);
    put64(kPdpt, kDirectory | 7);
    put64(kDirectory, 0x87);
    put64(kDirectory + 8, 0x200087);
    put64(kGdt + kCode0, 0x00209b0000000000);
    put64(kGdt + kFree, 0x0020fb0000000000);
    for (unsigned vector = 0; vector < 0x60; ++vector) {
      put64(kIdt + vector * 16,
            handler(static_cast<u8>(vector)) | u64{kCode0} << 16 | u64{0xee} << 40);
      put64(kIdt + vector * 16 + 8, 0);
    }
    put64(kTss + 4, kInnerStack);
    state_.cr0 |= cr0::kPg;
    state_.cr3 = kPml4;
    state_.cr4 = cr4::kPae;
    state_.efer = efer::kLme | efer::kLma | efer::kSce;
    state_.segments[kCs] = {.selector = kCode0, .limit = 0, .type = 11, .l = true};
  }
  // Maps the page at `address` (in the first 2 MiB) by itself; 0 leaves it out.
  void map_small(u64 address, u64 entry) {
    constexpr Gpa kTable = 0x53000, kDirectory = 0x52000;
    if (get64(kDirectory) & 0x80) {
      for (unsigned i = 0; i < 512; ++i) put64(kTable + i * 8, i * 0x1000u | 7u);
      put64(kDirectory, kTable | 7);
    }
    put64(kTable + address / 0x1000 * 8, entry);
  }
  void enter_level3(u16 code = kCode3) {
    state_.segments.fill(flat(kData3, 3, 3));
    state_.segments[kCs] = flat(code, 11, 3);
    if (code == kCode64User) {
      state_.segments[kCs].db = false;
      state_.segments[kCs].l = true;
    }
  }

  // Runs `code` at CS:RIP of `state_` to a HLT; the state then.
  X86State run(Bytes code) {
    code.push_back(kHlt);
    space_.write(state_.segments[kCs].base + state_.rip, code);
    return resume();
  }
  X86State resume() {
    EXPECT_TRUE(vcpu_->set_state(state_));
    auto exit = vcpu_->run(kNever);
    EXPECT_TRUE(exit && exit->kind == Exit::Kind::kHalted);
    return vcpu_->state();
  }
  // The vector whose handler halted, or -1.
  static int vector_of(const X86State& state) {
    if (state.rip <= kHandlers || state.rip > kHandlers + 0x600) return -1;
    return static_cast<int>((state.rip - 1 - kHandlers) / 16);
  }
  // The n-th 32-bit word from the top of the flat stack.
  u32 word(const X86State& state, unsigned n) {
    return get32((state.gpr[kRsp] & 0xffffffff) + 4 * n);
  }
  u64 quad(const X86State& state, unsigned n) { return get64(state.gpr[kRsp] + 8 * n); }
  u8 access_of(u16 selector) { return static_cast<u8>(get64(kGdt + (selector & ~7u)) >> 40); }

  AddressSpace space_;
  PortSpace ports_;
  StillClock clock_;
  HostMemory memory_;
  CpuModel model_;
  std::unique_ptr<Accelerator> accelerator_;
  std::unique_ptr<Vcpu> vcpu_;
  X86State state_;
};

}  // namespace kite
