#include "tests/isa/host/guest_runner.h"

#include <sys/mman.h>

#include <cstring>

#include "accel/x86/descriptor.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"

namespace kite::isa {
namespace {

// Guest physical addresses.
constexpr u64 kRamSize = 1 * MiB;
constexpr u64 kPageTables = 0x1000;  // a PML4, then whatever map_user() needs
constexpr u64 kSystem = 0x20000;     // GDT, IDT, TSS, stubs, stack: a page each
constexpr u64 kDataPages = 0x30000;
constexpr u64 kReadOnlyPage = 0x38000;
constexpr u64 kCodePages = 0x40000;
constexpr u64 kSystemLinear = 0xffff800000000000;  // the system pages, supervisor only
constexpr u64 kGdt = kSystemLinear, kIdt = kSystemLinear + 0x1000, kTss = kSystemLinear + 0x2000,
              kStubs = kSystemLinear + 0x3000, kStackTop = kSystemLinear + 0x5000;
constexpr u64 kSystemSize = 0x5000;

constexpr u16 kKernelCode = 8, kUserData = 0x1b, kUserCode = 0x23, kTssSelector = 0x28;

HostMemory anonymous(u64 size) {
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  HostMemory::Parts parts;
  parts.data = static_cast<u8*>(data);
  parts.size = parts.mapped_size = size;
  return HostMemory(std::move(parts));
}

Segment user_segment(u16 selector, bool code) {
  return {.selector = selector,
          .limit = 0xffffffff,
          .type = static_cast<u8>(code ? 11 : 3),
          .dpl = 3,
          .l = code,
          .db = !code,
          .g = true};
}

}  // namespace

GuestRunner::GuestRunner(const AcceleratorKind& kind, const CpuModel& model)
    : kind_(kind), model_(model), ram_(anonymous(kRamSize)) {}

Result<std::unique_ptr<GuestRunner>> GuestRunner::create(const AcceleratorKind& kind,
                                                         const CpuModel& model) {
  std::unique_ptr<GuestRunner> runner(new GuestRunner(kind, model));
  AddressSpace::Edit(runner->memory_)
      .map({.start = 0, .size = kRamSize, .region = Region::ram("ram", runner->ram_)});
  runner->write_tables();
  runner->base_ = runner->initial_state();
  return runner;
}

// Tables are taken one after the other behind the PML4, and found again by being there.
void GuestRunner::map_user(u64 linear, u64 physical, u64 size, u64 rights) {
  u64& used = words(kPageTables)[511];  // bytes taken, in an entry of the PML4 that maps nothing
  for (u64 at = 0; at < size; at += kPageSize) {
    u64 table = kPageTables;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
      u64& entry = words(table)[bits(linear + at, shift + 8, shift)];
      if (!(entry & pte::kPresent)) {
        used += 2 * kPageSize;  // even, so that the counter never looks present
        entry = (kPageTables + used) | pte::kPresent | pte::kWritable | pte::kUser;
      }
      table = entry & pte::kAddress;
    }
    words(table)[bits(linear + at, 20, 12)] = (physical + at) | rights;
  }
}

void GuestRunner::write_tables() {
  constexpr u64 kUser = pte::kPresent | pte::kUser;
  map_user(kCodeBase, kCodePages, kCodeSize, kUser);
  map_user(kDataBase, kDataPages, kDataSize, kUser | pte::kWritable);
  map_user(kReadOnlyBase, kReadOnlyPage, kPageSize, kUser);
  map_user(kSystemLinear, kSystem, kSystemSize, pte::kPresent | pte::kWritable);
  for (u64 i = 0; i < kDataSize / 8; ++i) words(kDataPages)[i] = initial_word(i * 8);
  for (u64 i = 0; i < kPageSize / 8; ++i) words(kReadOnlyPage)[i] = initial_word(i * 8);

  u64* gdt = words(kSystem);
  gdt[1] = 0x00af9b000000ffff;  // kernel code
  gdt[2] = 0x00cf93000000ffff;
  gdt[3] = 0x00cff3000000ffff;  // user data
  gdt[4] = 0x00affb000000ffff;  // user code
  gdt[5] = pack_descriptor({.base = kTss & 0xffffffff, .limit = 0x67, .type = 11, .s = false});
  gdt[6] = kTss >> 32;
  for (unsigned vector = 0; vector < 32; ++vector) {
    const bool user = vector == 3 || vector == 4;  // as in Linux
    auto [low, high] = pack_gate({.selector = kKernelCode,
                                  .offset = kStubs + vector * 16,
                                  .type = system_type::kInterruptGate,
                                  .dpl = static_cast<u8>(user ? 3 : 0),
                                  .present = true});
    words(kSystem + 0x1000)[2 * vector] = low;
    words(kSystem + 0x1000)[2 * vector + 1] = high;
    ram_.data()[kSystem + 0x3000 + vector * 16] = 0xf4;  // hlt
  }
  store<u64>(ram_.data() + kSystem + 0x2000 + 4, kStackTop);  // RSP0
  store<u16>(ram_.data() + kSystem + 0x2000 + 0x66, 0x68);    // no I/O permission bitmap
}

X86State GuestRunner::initial_state() const {
  X86State state = X86State::after_reset();
  state.cr0 = cr0::kPe | cr0::kMp | cr0::kEt | cr0::kNe | cr0::kWp | cr0::kAm | cr0::kPg;
  state.cr3 = kPageTables;
  state.cr4 = cr4::kPae | cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kOsxsave;
  state.fpu.xcr0 = xcr0::kX87 | xcr0::kSse | xcr0::kAvx;
  state.efer = efer::kSce | efer::kLme | efer::kLma | efer::kNxe;
  for (Segment& segment : state.segments) segment = user_segment(kUserData, false);
  state.segments[kCs] = user_segment(kUserCode, true);
  state.segments[kGs].base = kDataBase;
  state.tr = {.selector = kTssSelector, .base = kTss, .limit = 0x67, .type = 11, .s = false};
  state.gdtr = {.base = kGdt, .limit = 7 * 8 - 1};
  state.idtr = {.base = kIdt, .limit = 32 * 16 - 1};
  return state;
}

Result<> GuestRunner::run(std::span<const Case> cases, std::span<Outcome> outcomes) {
  // A new processor for each batch, so that no decoded code of the last one is left.
  vcpu_.reset();
  accelerator_.reset();
  std::memset(ram_.data() + kCodePages, kFiller, kCodeSize);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::memcpy(ram_.data() + kCodePages + i * kSlotSize, cases[i].code.data(), kSlotSize);
  }
  accelerator_ = KITE_TRY(
      kind_.create({.memory = memory_, .ports = ports_, .clock = clock_, .model = model_}));
  vcpu_ = KITE_TRY(accelerator_->create_vcpu({.index = 0, .apic_id = 0, .interrupts = nullptr}));
  for (std::size_t i = 0; i < cases.size(); ++i) KITE_CHECK(run_one(cases[i], outcomes[i]));
  return {};
}

Result<> GuestRunner::run_one(const Case& test, Outcome& outcome) {
  X86State state = base_;
  state.gpr = test.registers.gpr;
  state.rip = test.registers.rip;
  state.rflags = test.registers.rflags | rflags::kIf | (test.single_step ? rflags::kTf : 0);
  for (unsigned i = 0; i < 16; ++i) std::memcpy(&state.fpu.zmm[i], &test.vectors.xmm[i], 16);
  for (unsigned i = 0; i < 8; ++i) std::memcpy(&state.fpu.st[i], &test.vectors.st[i], 16);
  state.fpu.mxcsr = test.vectors.mxcsr;
  state.fpu.fcw = test.vectors.fcw;
  state.fpu.fsw = test.vectors.fsw;
  state.fpu.ftw = test.vectors.ftw;
  KITE_CHECK(vcpu_->set_state(state));
  const Exit exit = KITE_TRY(vcpu_->run(clock_.now() + 10 * kSecond));
  outcome = {};
  outcome.vector = 254;  // it never stopped
  if (exit.kind != Exit::Kind::kHalted) return {};
  state = vcpu_->state();
  outcome.vector = static_cast<u8>((state.rip - 1 - kStubs) / 16);
  const u64* frame = words(kSystem + (state.gpr[kRsp] - kSystemLinear));
  const bool has_code = kStackTop - state.gpr[kRsp] == 6 * 8;
  outcome.error_code = has_code ? static_cast<u32>(*frame++) : 0;
  outcome.cr2 = state.cr2;
  outcome.registers.gpr = state.gpr;
  outcome.registers.rip = frame[0];
  outcome.registers.rflags = frame[2];
  outcome.registers.gpr[kRsp] = frame[3];
  for (unsigned i = 0; i < 16; ++i) std::memcpy(&outcome.vectors.xmm[i], &state.fpu.zmm[i], 16);
  for (unsigned i = 0; i < 8; ++i) std::memcpy(&outcome.vectors.st[i], &state.fpu.st[i], 16);
  outcome.vectors.mxcsr = state.fpu.mxcsr;
  outcome.vectors.fcw = state.fpu.fcw;
  outcome.vectors.fsw = state.fpu.fsw;
  outcome.vectors.ftw = state.fpu.ftw;
  collect_changes(words(kDataPages), outcome);
  return {};
}

}  // namespace kite::isa
