// Every field of X86State from one engine to the other and back.
#include <gtest/gtest.h>

#include "accel/x86/registers.h"
#include "machine/accelerators.h"
#include "memory/backend.h"

namespace kite {
namespace {

const AcceleratorKind* kind_of(std::string_view name) {
  for (const AcceleratorKind* kind : accelerator_kinds())
    if (kind->name == name) return kind;
  return nullptr;
}

class RoundTrip : public testing::Test {
 protected:
  void SetUp() override {
    const AcceleratorKind* kvm = kind_of("kvm");
    if (kvm == nullptr) GTEST_SKIP() << "kvm is not part of this build";
    if (Result<> usable = kvm->probe(); !usable) GTEST_SKIP() << usable.error().message;
    memory_ = std::move(*allocate(*parse_backend("ram,size=4M")));
    AddressSpace::Edit(space_).map({0, memory_.size(), Region::ram("ram", memory_)});
    auto made = kvm->create({space_, ports_, clock_, model_, 0, 1, {.kernel_irqchip = false}});
    ASSERT_TRUE(made) << made.error().message;
    kvm_ = std::move(*made);
    tcg_ = *kind_of("tcg")->create({space_, ports_, clock_, *kvm_->model()});
    auto vcpu = kvm_->create_vcpu({});
    ASSERT_TRUE(vcpu) << vcpu.error().message;
    in_kvm_ = std::move(*vcpu);
    in_tcg_ = *tcg_->create_vcpu({});
  }

  static Segment segment(u16 selector, u8 type, bool code64) {
    return {.selector = selector,
            .limit = 0xffffffff,
            .type = type,
            .l = code64,
            .db = !code64,
            .g = true};
  }

  // Long mode, and a value of its own in every register.
  X86State filled() const {
    X86State state = X86State::after_reset();
    state.cr0 = cr0::kPe | cr0::kPg | cr0::kEt | cr0::kNe | cr0::kMp | cr0::kWp;
    state.cr3 = 0x10000;
    state.cr4 = cr4::kPae | cr4::kOsfxsr | cr4::kPge;
    state.efer = efer::kLme | efer::kLma | efer::kSce | efer::kNxe;
    state.segments.fill(segment(0x10, 3, false));
    state.segments[kCs] = segment(8, 11, true);
    state.segments[kFs].base = 0x7fff12345678;
    state.segments[kGs].base = 0xffff888012345000;
    state.ldtr = {.selector = 0x30, .base = 0x3000, .limit = 0x1f, .type = 2, .s = false};
    state.tr = {.selector = 0x40, .base = 0x2000, .limit = 0x67, .type = 11, .s = false};
    state.gdtr = {.base = 0xffff800000001000, .limit = 0x7f};
    state.idtr = {.base = 0xffff800000002000, .limit = 0xfff};
    for (unsigned i = 0; i < 16; ++i) state.gpr[i] = 0x0101010101010101 * (i + 1);
    state.rip = 0xffffffff81000000;
    state.rflags = rflags::kFixed | rflags::kCf | rflags::kOf | rflags::kIf | rflags::kId;
    state.cr2 = 0xdeadbeef000;
    state.dr = {0x1000, 0x2000, 0x3000, 0x4000};
    state.dr6 = dr6::kFixed | dr6::kB0 << 1;
    state.star = 0x0023001000000000;
    state.lstar = 0xffffffff81000010;
    state.cstar = 0xffffffff81000020;
    state.sfmask = 0x47700;
    state.kernel_gs_base = 0xffff888000000000;
    state.sysenter_cs = 0x10;
    state.sysenter_esp = 0xffffc00000001000;
    state.sysenter_eip = 0xffffffff81001000;
    state.pat = 0x0407050600070106;
    state.mtrr_def_type = 0xc06;
    state.mtrr_fixed[0] = 0x0606060606060606;
    state.mtrr_variable[0] = 0xe0000000;
    state.mtrr_variable[1] = 0xffe0000800;
    fill_fpu(state.fpu);
    return state;
  }
  static void fill_fpu(FpuState& fpu) {
    fpu.fcw = 0x27f;
    fpu.fsw = 3 << 11 | 0x4100;
    fpu.ftw = 0xa5;
    fpu.mxcsr = 0x1fa0;
    for (unsigned i = 0; i < 8; ++i)
      fpu.st[i][7] = 0x80, fpu.st[i][8] = static_cast<u8>(i), fpu.st[i][9] = 0x40;
    for (unsigned i = 0; i < 16; ++i)
      for (unsigned byte = 0; byte < 16; ++byte) fpu.zmm[i][byte] = static_cast<u8>(16 * i + byte);
  }

  // What is equal in both is listed; the TSC moves on, and KVM has registers of its own besides.
  static void expect_same(const X86State& got, const X86State& wanted) {
    EXPECT_EQ(got.gpr, wanted.gpr);
    EXPECT_EQ(got.rip, wanted.rip);
    EXPECT_EQ(got.rflags, wanted.rflags);
    EXPECT_EQ(got.segments, wanted.segments);
    EXPECT_EQ(got.ldtr, wanted.ldtr);
    EXPECT_EQ(got.tr, wanted.tr);
    EXPECT_EQ(got.gdtr, wanted.gdtr);
    EXPECT_EQ(got.idtr, wanted.idtr);
    EXPECT_EQ(got.cr0, wanted.cr0);
    EXPECT_EQ(got.cr2, wanted.cr2);
    EXPECT_EQ(got.cr3, wanted.cr3);
    EXPECT_EQ(got.cr4, wanted.cr4);
    EXPECT_EQ(got.efer, wanted.efer);
    EXPECT_EQ(got.dr, wanted.dr);
    EXPECT_EQ(got.dr6, wanted.dr6);
    EXPECT_EQ(got.dr7, wanted.dr7);
    EXPECT_EQ(got.fpu, wanted.fpu);
    EXPECT_EQ(got.star, wanted.star);
    EXPECT_EQ(got.lstar, wanted.lstar);
    EXPECT_EQ(got.cstar, wanted.cstar);
    EXPECT_EQ(got.sfmask, wanted.sfmask);
    EXPECT_EQ(got.kernel_gs_base, wanted.kernel_gs_base);
    EXPECT_EQ(got.sysenter_cs, wanted.sysenter_cs);
    EXPECT_EQ(got.sysenter_esp, wanted.sysenter_esp);
    EXPECT_EQ(got.sysenter_eip, wanted.sysenter_eip);
    EXPECT_EQ(got.pat, wanted.pat);
    EXPECT_EQ(got.mtrr_def_type, wanted.mtrr_def_type);
    EXPECT_EQ(got.mtrr_fixed, wanted.mtrr_fixed);
    EXPECT_EQ(got.mtrr_variable, wanted.mtrr_variable);
    EXPECT_EQ(got.mcg_status, wanted.mcg_status);
    EXPECT_EQ(got.mcg_ctl, wanted.mcg_ctl);
    EXPECT_EQ(got.mc_banks, wanted.mc_banks);
    EXPECT_EQ(got.other_msrs, wanted.other_msrs);
    EXPECT_EQ(got.pending, wanted.pending);
    EXPECT_EQ(got.mp_state, wanted.mp_state);
  }

  // From KVM to the interpreter and back to KVM.
  void expect_round_trip(const X86State& state) {
    auto set = in_kvm_->set_state(state);
    ASSERT_TRUE(set) << set.error().message;
    const X86State first = in_kvm_->state();
    ASSERT_TRUE(in_tcg_->set_state(first));
    const X86State second = in_tcg_->state();
    expect_same(second, first);
    set = in_kvm_->set_state(second);
    ASSERT_TRUE(set) << set.error().message;
    expect_same(in_kvm_->state(), first);
  }

  HostMemory memory_;
  AddressSpace space_;
  PortSpace ports_;
  RealClock clock_;
  CpuModel model_ = *find_cpu_model("max");
  std::unique_ptr<Accelerator> kvm_, tcg_;
  std::unique_ptr<Vcpu> in_kvm_, in_tcg_;
};

TEST_F(RoundTrip, EveryRegisterComesBack) {
  const X86State state = filled();
  expect_round_trip(state);
  const X86State back = in_kvm_->state();
  // KVM may know fewer machine checks and memory types than X86State, but these it knows.
  EXPECT_EQ(back.gpr, state.gpr);
  EXPECT_EQ(back.fpu, state.fpu);
  EXPECT_EQ(back.lstar, state.lstar);
  EXPECT_EQ(back.pat, state.pat);
  EXPECT_EQ(back.dr6, state.dr6);
}

TEST_F(RoundTrip, EventsComeBack) {
  X86State state = filled();
  state.pending.nmi = true;
  expect_round_trip(state);
  state.pending = {};
  state.pending.nmi_blocked = true;
  expect_round_trip(state);
  state.pending = {};
  state.pending.sti_shadow = true;
  expect_round_trip(state);
  state.pending = {};
  state.pending.mov_ss_shadow = true;
  expect_round_trip(state);
  state.pending = {};
  state.pending.init = true;
  expect_round_trip(state);
  state.pending = {};
  state.mp_state = MpState::kWaitForSipi;
  state.pending.sipi = 0x9a;
  expect_round_trip(state);
  state.pending = {};
  state.mp_state = MpState::kHalted;
  expect_round_trip(state);
}

TEST_F(RoundTrip, AnExceptionOrInterruptOnItsWayStaysInKvm) {
  X86State state = filled();
  for (const bool external : {false, true}) {
    state.pending.exception = true;
    state.pending.external = external;
    state.pending.vector = external ? 0x41 : 14;
    state.pending.has_error_code = !external;
    state.pending.error_code = external ? 0 : 2;
    ASSERT_TRUE(in_kvm_->set_state(state));
    EXPECT_EQ(in_kvm_->state().pending, state.pending);
  }
}

TEST_F(RoundTrip, TheVectorRegistersOfAvxAndTheProtectionKeysComeBack) {
  X86State state = filled();
  const u64 xcr0_bits = kvm_->model()->xcr0_bits();
  if (!(xcr0_bits & xcr0::kAvx)) GTEST_SKIP() << "this host's KVM gives the guest no AVX";
  state.cr4 |= cr4::kOsxsave;
  state.fpu.xcr0 = xcr0_bits;
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned byte = 16; byte < 32; ++byte)
      state.fpu.zmm[i][byte] = static_cast<u8>(i + 3 * byte);
  if (xcr0_bits & xcr0::kPkru) state.fpu.pkru = 0x55555554;
  expect_round_trip(state);
  EXPECT_EQ(in_kvm_->state().fpu, state.fpu);
}

TEST_F(RoundTrip, TheTscGoesOnWithoutAJumpBackwards) {
  X86State state = filled();
  state.tsc = u64{1} << 40;
  ASSERT_TRUE(in_kvm_->set_state(state));
  const u64 taken = in_kvm_->state().tsc;
  if (taken < state.tsc || taken - state.tsc > state.tsc / 2)
    GTEST_SKIP() << "this host's KVM does not let a TSC be set";
  u64 last = 0;
  for (int i = 0; i < 6; ++i) {
    Vcpu& from = i % 2 ? *in_tcg_ : *in_kvm_;
    Vcpu& to = i % 2 ? *in_kvm_ : *in_tcg_;
    const Nanos now = clock_.now();
    X86State moved = from.state();
    EXPECT_GE(moved.tsc, last);
    EXPECT_GE(moved.tsc, u64{1} << 40);
    EXPECT_LT(moved.tsc, (u64{1} << 40) + (u64{1} << 39));
    last = moved.tsc;
    moved.tsc_at = now;
    ASSERT_TRUE(to.set_state(moved));
  }
}

}  // namespace
}  // namespace kite
