#include "tests/isa/oracle/interpreter.h"

#include "accel/tcg/code_cache.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "tests/isa/support/host_features.h"

namespace kite::oracle {
namespace {

using tcg::Cpu;
using tcg::Flow;
using tcg::Insn;

// Guest physical addresses.
constexpr u64 kRamSize = 1 * MiB;
constexpr u64 kPageTables = 0x1000;  // a PML4, then whatever map() needs
constexpr u64 kDataPages = 0x30000;  // kWritablePages, one behind the other
constexpr u64 kReadOnlyPage = 0x38000;
constexpr u64 kGdtPage = 0x3a000;
constexpr u64 kGdt = 0xffff800000000000;  // of the supervisor's

// Linux's table as programs see it: flat segments, a task's and a local one's that level 3 may not
// look at, three of threads that are empty, and one whose limit is the processor's number.
constexpr std::array<u64, 16> kDescriptors = {0,
                                              0x00cf9b000000ffff,
                                              0x00af9b000000ffff,
                                              0x00cf93000000ffff,
                                              0x00cffb000000ffff,
                                              0x00cff3000000ffff,
                                              0x00affb000000ffff,
                                              0,
                                              0x00008b0000002087,
                                              0,
                                              0,
                                              0,
                                              0,
                                              0,
                                              0,
                                              0x0040f50000000000 | Interpreter::kNumberLimit};
static_assert(kDescriptors.size() * 8 == 0x80);

BackendConfig ram_config() {
  BackendConfig config;
  config.kind = "ram";
  config.size = kRamSize;
  return config;
}

Segment user_segment(bool code, bool code64) {
  const u16 code_selector = code64 ? 0x33 : 0x23;
  return {.selector = code ? code_selector : u16{0x2b},
          .limit = 0xffffffff,
          .type = static_cast<u8>(code ? 11 : 3),
          .dpl = 3,
          .l = code && code64,
          .db = !(code && code64),
          .g = true};
}

}  // namespace

void write_slot(u8* slot, const Case& test) {
  std::memset(slot, 0xcc, kSlotSize);
  std::memcpy(slot, test.code.data(), test.length);
  slot[test.length] = 0xe9;
  store<u32>(slot + test.length + 1,
             static_cast<u32>(kWayBack - (test.rip + test.length + kWayBackSize)));
}

Interpreter::Interpreter(bool code64)
    : ram_(*allocate(ram_config())),
      code64_(code64),
      model_(isa::model_with_everything()),
      decoder_(model_) {
  AddressSpace::Edit(memory_).map(
      {.start = 0, .size = ram_.size(), .region = Region::ram("ram", ram_)});
  write_tables();
  cpu_ = std::make_unique<Cpu>(
      AcceleratorConfig{.memory = memory_, .ports = ports_, .clock = clock_, .model = model_},
      VcpuConfig{});
  cpu_->code = std::make_unique<tcg::CodeCache>(*cpu_, decoder_);
  set_up_processor();
}

Interpreter::~Interpreter() = default;

void Interpreter::map(u64 linear, u64 physical, u64 size, u64 rights) {
  for (u64 offset = 0; offset < size; offset += kPageSize) {
    u64 table = kPageTables;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
      u8* entry = at(table + 8 * bits(linear + offset, shift + 8, shift));
      if (!(load<u64>(entry) & pte::kPresent)) {
        tables_used_ += kPageSize;
        store<u64>(entry,
                   (kPageTables + tables_used_) | pte::kPresent | pte::kWritable | pte::kUser);
      }
      table = load<u64>(entry) & pte::kAddress;
    }
    store<u64>(at(table + 8 * bits(linear + offset, 20, 12)), (physical + offset) | rights);
  }
}

void Interpreter::write_tables() {
  constexpr u64 kUser = pte::kPresent | pte::kUser;
  map(kCodeBase, kCodePages, kCodeSize, kUser);
  for (unsigned i = 0; i < kWritablePages.size(); ++i)
    map(kWritablePages[i], kDataPages + i * kPageSize, kPageSize, kUser | pte::kWritable);
  map(kReadOnlyBase, kReadOnlyPage, kPageSize, kUser);
  map(kGdt, kGdtPage, kPageSize, pte::kPresent | pte::kWritable);
  std::memcpy(at(kGdtPage), kDescriptors.data(), sizeof kDescriptors);
}

void Interpreter::set_up_processor() {
  Cpu& cpu = *cpu_;
  cpu.cr0 = cr0::kPe | cr0::kMp | cr0::kEt | cr0::kNe | cr0::kWp | cr0::kAm | cr0::kPg;
  cpu.cr3 = kPageTables;
  cpu.cr4 = cr4::kPae | cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kOsxsave | cr4::kFsgsbase;
  cpu.efer = efer::kSce | efer::kLme | efer::kLma | efer::kNxe;
  cpu.fpu.xcr0 = xcr0::kX87 | xcr0::kSse | xcr0::kAvx;
  cpu.gdtr = {.base = kGdt, .limit = sizeof kDescriptors - 1};
  cpu.ldtr = {.limit = 0, .type = 2, .s = false, .present = false, .unusable = true};
  set_up_segments();
  cpu.set_cpl(3);
}

// As Linux starts a program: CS and SS have segments, the others are null.
void Interpreter::set_up_segments() {
  for (unsigned i = 0; i < 6; ++i) {
    Segment segment = user_segment(i == kCs, code64_);
    if (i != kCs && i != kSs) segment.selector = 0;
    segment.base = i == kFs ? kFsBase : i == kGs ? kGsBase : 0;
    cpu_->set_segment(static_cast<SegmentRegister>(i), segment);
  }
}

void Interpreter::begin(const Pool& pool, std::span<const Case> cases) {
  pool_ = &pool;
  for (unsigned i = 0; i < kWritablePages.size(); ++i)
    std::memcpy(at(kDataPages + i * kPageSize), pool.page.data(), kPageSize);
  std::memcpy(at(kReadOnlyPage), pool.page.data(), kPageSize);
  std::memset(at(kCodePages), 0xcc, kCodeSize);
  for (const Case& test : cases) write_slot(at(kCodePages + (test.rip - kCodeBase)), test);
}

void Interpreter::load_image(const Image& image) {
  FpuState& fpu = cpu_->fpu;
  const u8* bytes = image.bytes.data();
  fpu.fcw = load<u16>(bytes);
  fpu.fsw = load<u16>(bytes + 2);
  fpu.ftw = bytes[4];
  fpu.fop = load<u16>(bytes + Image::kFop);
  fpu.fip = load<u64>(bytes + Image::kFip);
  fpu.fdp = load<u64>(bytes + Image::kFdp);
  fpu.fcs = fpu.fds = 0;
  fpu.mxcsr = load<u32>(bytes + Image::kMxcsr);
  const unsigned top = fpu.fsw >> 11 & 7;
  for (unsigned i = 0; i < 8; ++i)
    std::memcpy(fpu.st[(top + i) & 7].data(), bytes + Image::kSt + 16 * i, 10);
  for (unsigned i = 0; i < 16; ++i) {
    std::memcpy(fpu.zmm[i].data(), bytes + Image::kXmm + 16 * i, 16);
    std::memcpy(fpu.zmm[i].data() + 16, bytes + Image::kYmm + 16 * i, 16);
  }
}

void Interpreter::save_image(Image& image) const {
  const FpuState& fpu = cpu_->fpu;
  u8* bytes = image.bytes.data();
  store<u16>(bytes, fpu.fcw);
  store<u16>(bytes + 2, fpu.fsw);
  bytes[4] = fpu.ftw;
  store<u16>(bytes + Image::kFop, fpu.fop);
  store<u64>(bytes + Image::kFip, fpu.fip);
  store<u64>(bytes + Image::kFdp, fpu.fdp);
  store<u32>(bytes + Image::kMxcsr, fpu.mxcsr);
  const unsigned top = fpu.fsw >> 11 & 7;
  for (unsigned i = 0; i < 8; ++i)
    std::memcpy(bytes + Image::kSt + 16 * i, fpu.st[(top + i) & 7].data(), 10);
  for (unsigned i = 0; i < 16; ++i) {
    std::memcpy(bytes + Image::kXmm + 16 * i, fpu.zmm[i].data(), 16);
    std::memcpy(bytes + Image::kYmm + 16 * i, fpu.zmm[i].data() + 16, 16);
  }
}

void Interpreter::save_segments(Selectors& selectors) {
  const auto& segments = cpu_->segments;
  selectors.values = {segments[kEs].selector, segments[kDs].selector, segments[kFs].selector,
                      segments[kGs].selector};
  selectors.fs_base = cpu_->segments[kFs].base;
  selectors.gs_base = cpu_->segments[kGs].base;
  set_up_segments();
}

void Interpreter::start(const Case& test) {
  Cpu& cpu = *cpu_;
  std::memcpy(cpu.gpr.data(), test.gpr.data(), sizeof test.gpr);
  cpu.gpr[tcg::kBlockRip] = test.rip;
  cpu.set_rflags(test.rflags | rflags::kIf);
  cpu.attention.take();
  if (test.vectors) load_image(pool_->images[test.image]);
}

void Interpreter::run(const Case& test, const Insn& insn, Outcome& outcome) {
  start(test);
  constexpr unsigned kMostRounds = 100'000;  // of a repeated string instruction
  Flow flow;
  unsigned rounds = 0;
  do {
    cpu_->rip = test.rip + test.length;
    flow = insn.handler(*cpu_, insn);
  } while (flow == Flow::kLeave && cpu_->rip == test.rip && ++rounds < kMostRounds);
  finish(test, flow, outcome);
}

void Interpreter::finish(const Case& test, Flow flow, Outcome& outcome) {
  const Cpu& cpu = *cpu_;
  outcome.change_count = 0;
  outcome.error_code = 0;
  outcome.cr2 = 0;
  outcome.rip = cpu.rip;
  outcome.vector = cpu.rip == test.rip + test.length ? Outcome::kWentOn : Outcome::kLanded;
  if (flow == Flow::kFault) {
    outcome.vector = cpu.fault.vector;
    outcome.error_code = cpu.fault.has_error_code ? cpu.fault.error_code : 0;
    outcome.cr2 = cpu.fault.vector == 14 ? cpu.cr2 : 0;
    outcome.rip = test.rip;
  }
  outcome.rflags = cpu.rflags();
  std::memcpy(outcome.gpr.data(), cpu.gpr.data(), sizeof outcome.gpr);
  for (u64 i = 0; i < kWritablePages.size(); ++i)
    collect_changes(at(kDataPages + i * kPageSize), *pool_, i, outcome);
  if (test.segments) save_segments(outcome.selectors);
  if (!test.vectors) return;
  outcome.image = pool_->images[test.image];
  save_image(outcome.image);
}

}  // namespace kite::oracle
