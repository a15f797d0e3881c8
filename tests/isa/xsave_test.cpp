// The state images of FXSAVE and XSAVE: which bytes each form writes in which mode, and the same
// areas restored and saved by the host.
#include <gtest/gtest.h>

#include <random>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu.h"
#include "accel/tcg/decode.h"
#include "accel/x86/registers.h"
#include "accel/x86/xsave_layout.h"
#include "memory/backend.h"
#include "support/host_features.h"

namespace kite::tcg {
namespace {

constexpr u64 kFrom = 0x1000, kTo = 0x2000;  // areas in the guest's memory
constexpr u8 kFiller = 0xcc;

// A processor without paging, 64-bit or 32-bit code, whose RBX points at the area to use.
class Guest {
 public:
  explicit Guest(bool wide) : ram_(*allocate(ram_config())) {
    AddressSpace::Edit(memory_).map(
        {.start = 0, .size = ram_.size(), .region = Region::ram("ram", ram_)});
    cpu_ = std::make_unique<Cpu>(
        AcceleratorConfig{.memory = memory_, .ports = ports_, .clock = clock_, .model = model_},
        VcpuConfig{});
    cpu_->code = std::make_unique<CodeCache>(*cpu_, decoder_);
    cpu_->cr0 = cr0::kPe | cr0::kNe | cr0::kMp;
    cpu_->cr4 = cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kOsxsave;
    if (wide) cpu_->efer = efer::kLma | efer::kLme;
    for (Segment& segment : cpu_->segments) segment.limit = 0xffffffff;
    cpu_->segments[kCs].l = wide;
    cpu_->segments[kCs].db = !wide;
    cpu_->fpu.xcr0 = xcr0::kX87 | xcr0::kSse | xcr0::kAvx | xcr0::kPkru;
    cpu_->update_mode();
  }

  Cpu& cpu() { return *cpu_; }
  u8* at(u64 address) { return ram_.data() + address; }
  // Runs an instruction on [RBX] with a requested-feature bitmap.
  Flow run(std::initializer_list<u8> bytes, u64 area, u32 mask = 0) {
    cpu_->gpr[kRbx] = area;
    cpu_->gpr[kRax] = mask;
    cpu_->gpr[kRdx] = 0;
    Insn insn{};
    if (decoder_.decode(std::span(bytes.begin(), bytes.size()), cpu_->mode, insn) !=
        DecodeStatus::kOk)
      return Flow::kFault;
    return insn.handler(*cpu_, insn);
  }
  void set_state() {
    FpuState& f = cpu_->fpu;
    f.fcw = 0x27f;
    f.fip = 0x123456789a;
    f.fdp = 0xabcdef0123;
    f.fcs = 0x1234;
    f.fds = 0x5678;
    f.pkru = 0x55;
    for (unsigned i = 0; i < 16; ++i) f.zmm[i].fill(static_cast<u8>(0x10 + i));
  }

 private:
  static BackendConfig ram_config() {
    BackendConfig config;
    config.kind = "ram";
    config.size = 64 * KiB;
    return config;
  }

  HostMemory ram_;
  AddressSpace memory_;
  PortSpace ports_;
  ManualClock clock_;
  CpuModel model_ = isa::model_with_everything();
  Decoder decoder_{model_};
  std::unique_ptr<Cpu> cpu_;
};

// Is every byte from `from` to `to` what nobody has written?
bool untouched(const u8* area, unsigned from, unsigned to) {
  return std::all_of(area + from, area + to, [](u8 byte) { return byte == kFiller; });
}

TEST(Fxsave, WideFormHasPointersOf64Bits) {
  Guest guest(true);
  guest.set_state();
  std::fill_n(guest.at(kTo), 1024, kFiller);
  ASSERT_EQ(guest.run({0x48, 0x0f, 0xae, 0x03}, kTo), Flow::kNext);
  EXPECT_EQ(load<u64>(guest.at(kTo + 8)), 0x123456789au);
  EXPECT_EQ(load<u64>(guest.at(kTo + 16)), 0xabcdef0123u);
  EXPECT_EQ(*guest.at(kTo + 160 + 15 * 16), 0x1f);
  EXPECT_TRUE(untouched(guest.at(kTo), 416, 1024));
}

TEST(Fxsave, NarrowFormHasSelectors) {
  Guest guest(true);
  guest.set_state();
  ASSERT_EQ(guest.run({0x0f, 0xae, 0x03}, kTo), Flow::kNext);
  EXPECT_EQ(load<u64>(guest.at(kTo + 8)), 0x12343456789au);
  EXPECT_EQ(load<u64>(guest.at(kTo + 16)), 0x5678cdef0123u);
  EXPECT_EQ(*guest.at(kTo + 160 + 15 * 16), 0x1f);
}

TEST(Fxsave, OutsideOf64BitModeThereAreEightXmmRegisters) {
  Guest guest(false);
  guest.set_state();
  std::fill_n(guest.at(kTo), 1024, kFiller);
  ASSERT_EQ(guest.run({0x0f, 0xae, 0x03}, kTo), Flow::kNext);
  EXPECT_EQ(load<u64>(guest.at(kTo + 8)), 0x12343456789au);
  EXPECT_EQ(*guest.at(kTo + 160 + 7 * 16), 0x17);
  EXPECT_TRUE(untouched(guest.at(kTo), 160 + 8 * 16, 1024));
  // And eight come back.
  guest.cpu().fpu.zmm = {};
  ASSERT_EQ(guest.run({0x0f, 0xae, 0x0b}, kTo), Flow::kNext);
  EXPECT_EQ(guest.cpu().fpu.zmm[7][15], 0x17);
  EXPECT_EQ(guest.cpu().fpu.zmm[8][0], 0);
}

TEST(Xsave, StoresOnlyWhatIsAskedFor) {
  Guest guest(true);
  guest.set_state();
  std::fill_n(guest.at(kTo), 1024, kFiller);
  std::fill_n(guest.at(kTo + 512), 64, u8{0});
  ASSERT_EQ(guest.run({0x0f, 0xae, 0x23}, kTo, 0x204), Flow::kNext);
  const u8* area = guest.at(kTo);
  EXPECT_TRUE(untouched(area, 0, 24));
  EXPECT_EQ(load<u32>(area + 24), mxcsr::kDefault);  // comes with AVX too
  EXPECT_TRUE(untouched(area, 32, 512));
  EXPECT_EQ(load<u64>(area + 512), 0x204u);
  EXPECT_EQ(area[576 + 15 * 16], 0x1f);
  EXPECT_EQ(load<u64>(area + 832), 0x55u);
  EXPECT_TRUE(untouched(area, 840, 1024));
}

TEST(Xsave, OutsideOf64BitModeThereAreEightUpperHalves) {
  Guest guest(false);
  guest.set_state();
  std::fill_n(guest.at(kTo), 1024, kFiller);
  std::fill_n(guest.at(kTo + 512), 64, u8{0});
  ASSERT_EQ(guest.run({0x0f, 0xae, 0x23}, kTo, 7), Flow::kNext);
  EXPECT_EQ(*guest.at(kTo + 576 + 7 * 16), 0x17);
  EXPECT_TRUE(untouched(guest.at(kTo), 576 + 8 * 16, 1024));
  EXPECT_TRUE(untouched(guest.at(kTo), 160 + 8 * 16, 512));
}

TEST(Xsave, CompactedComponentsFollowEachOther) {
  Guest guest(true);
  guest.set_state();
  std::fill_n(guest.at(kTo), 1024, kFiller);
  ASSERT_EQ(guest.run({0x0f, 0xc7, 0x23}, kTo, 0x201), Flow::kNext);
  EXPECT_EQ(load<u64>(guest.at(kTo + 512)), 0x201u);
  EXPECT_EQ(load<u64>(guest.at(kTo + 520)), bit(63) | 0x201);
  EXPECT_EQ(load<u64>(guest.at(kTo + 576)), 0x55u);
  EXPECT_TRUE(untouched(guest.at(kTo), 584, 1024));
  guest.cpu().fpu.pkru = 0;
  std::fill_n(guest.at(kTo + 528), 48, u8{0});
  ASSERT_EQ(guest.run({0x0f, 0xae, 0x2b}, kTo, 0x201), Flow::kNext);
  EXPECT_EQ(guest.cpu().fpu.pkru, 0x55u);
}

TEST(Xsave, NeedsAlignmentAndPermission) {
  Guest guest(true);
  EXPECT_EQ(guest.run({0x0f, 0xae, 0x23}, kTo + 32, 3), Flow::kFault);
  EXPECT_EQ(guest.cpu().fault.vector, 13);
  guest.cpu().cr0 |= cr0::kTs;
  EXPECT_EQ(guest.run({0x0f, 0xae, 0x23}, kTo, 3), Flow::kFault);
  EXPECT_EQ(guest.cpu().fault.vector, 7);
  guest.cpu().cr4 &= ~cr4::kOsxsave;
  EXPECT_EQ(guest.run({0x0f, 0xae, 0x23}, kTo, 3), Flow::kFault);
  EXPECT_EQ(guest.cpu().fault.vector, 6);
}

#if defined(__x86_64__)

using Area = std::array<u8, 4096>;

struct HostForm {
  const char* name;
  Feature feature;
  std::initializer_list<u8> bytes;
  void (*run)(u8* old, const u8* from, u8* to, u32 mask);
};

// Restores `from`, saves to `to` what `mask` asks for, and puts the host's own state back.
#define KITE_HOST_FORM(INSTRUCTION)                                              \
  [](u8* old, const u8* from, u8* to, u32 mask) {                                \
    asm volatile(                                                                \
        "mov $7, %%eax; xor %%edx, %%edx; xsave64 (%0); xrstor64 (%1); mov %3, " \
        "%%eax; " INSTRUCTION " (%2); mov $7, %%eax; xrstor64 (%0)" ::"r"(old),  \
        "r"(from), "r"(to), "r"(mask)                                            \
        : "rax", "rdx", "memory");                                               \
  }

const HostForm kForms[] = {
    {"xsave64", Feature::kXsave, {0x48, 0x0f, 0xae, 0x23}, KITE_HOST_FORM("xsave64")},
    {"xsaveopt64", Feature::kXsaveopt, {0x48, 0x0f, 0xae, 0x33}, KITE_HOST_FORM("xsaveopt64")},
    {"xsavec64", Feature::kXsavec, {0x48, 0x0f, 0xc7, 0x23}, KITE_HOST_FORM("xsavec64")},
};

// A standard area with random registers, of which the header has only some. The last instruction's
// pointers are left at zero: AMD saves them only with an exception pending.
Area random_area(std::mt19937_64& random) {
  Area area{};
  store<u16>(&area[0], 0x37f);
  area[4] = static_cast<u8>(random() | 1);
  store<u32>(&area[24], random() % 2 ? mxcsr::kDefault : 0x1fc0);
  for (unsigned i = 0; i < 8; ++i) {
    store<u64>(&area[32 + 16 * i], random() | bit(63));
    store<u16>(&area[40 + 16 * i], static_cast<u16>(random()));
  }
  for (unsigned i = 160; i < 416; i += 8) store<u64>(&area[i], random());
  for (unsigned i = 576; i < 832; i += 8) store<u64>(&area[i], random());
  store<u64>(&area[512], random() % 8);
  return area;
}

// Whether a component that was restored to its initial state counts as in use is the processor's
// choice (SDM 1 13.6): then its bit in the header and the bytes that hang on it are not compared.
// Nor are the pointers of the last x87 instruction, which AMD leaves out where no exception is
// pending.
void forgive(const Area& from, Area& ours, const Area& host) {
  struct Span {
    u8 component;
    unsigned first, last;
  };
  constexpr Span kSpans[] = {{1, 0, 23}, {1, 32, 159}, {2, 24, 31}, {2, 160, 415}, {4, 576, 831}};
  const u8 choice = static_cast<u8>(~from[512] & ~ours[512] & host[512]);
  for (const Span& span : kSpans)
    if (choice & span.component)
      std::copy(&host[span.first], &host[span.last] + 1, &ours[span.first]);
  ours[512] |= choice;
  std::copy(&host[6], &host[24], &ours[6]);
}

TEST(XsaveOnHost, RestoresAndSavesAsTheSiliconDoes) {
  if (!host_has(Feature::kXsave) || !host_has(Feature::kAvx))
    GTEST_SKIP() << "this host has no XSAVE or no AVX";
  Guest guest(true);
  alignas(64) static Area old, from, to;
  std::mt19937_64 random(1);
  for (const HostForm& form : kForms) {
    if (!host_has(form.feature)) {
      std::printf("left out, for this host lacks it: %s\n", form.name);
      continue;
    }
    for (int i = 0; i < 300; ++i) {
      from = random_area(random);
      to.fill(kFiller);
      std::fill_n(to.begin() + 512, 64, u8{0});
      const u32 mask = static_cast<u32>(random() % 8);
      std::copy_n(from.begin(), 1024, guest.at(kFrom));
      std::copy_n(to.begin(), 1024, guest.at(kTo));
      form.run(old.data(), from.data(), to.data(), mask);
      ASSERT_EQ(guest.run({0x48, 0x0f, 0xae, 0x2b}, kFrom, 7), Flow::kNext);
      ASSERT_EQ(guest.run(form.bytes, kTo, mask), Flow::kNext);
      Area ours = to;
      std::copy_n(guest.at(kTo), 1024, ours.begin());
      forgive(from, ours, to);
      // MXCSR_MASK is the processor's own.
      if (load<u32>(&to[28]) != 0xcccccccc) std::copy_n(&ours[28], 4, &to[28]);
      for (unsigned at = 0; at < 1024; ++at)
        ASSERT_EQ(ours[at], to[at])
            << form.name << " byte " << at << " mask " << mask << " header " << unsigned{from[512]};
    }
  }
}

#endif

}  // namespace
}  // namespace kite::tcg
