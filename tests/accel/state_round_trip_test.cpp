// Every field of X86State from one engine to the other and back.
#include <gtest/gtest.h>

#include "machine/accelerators.h"
#include "memory/backend.h"
#include "tests/accel/filled_state.h"

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

  // What is equal in both is listed; the TSC moves on, and KVM has registers of its own besides.
  static void expect_same(const X86State& got, const X86State& wanted) {
    test::expect_same_registers(got, wanted);
    EXPECT_EQ(got.mtrr_def_type, wanted.mtrr_def_type);
    EXPECT_EQ(got.mtrr_fixed, wanted.mtrr_fixed);
    EXPECT_EQ(got.mtrr_variable, wanted.mtrr_variable);
    EXPECT_EQ(got.mcg_status, wanted.mcg_status);
    EXPECT_EQ(got.mcg_ctl, wanted.mcg_ctl);
    EXPECT_EQ(got.mc_banks, wanted.mc_banks);
    EXPECT_EQ(got.other_msrs, wanted.other_msrs);
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
  const X86State state = test::filled_state();
  expect_round_trip(state);
  test::expect_same_registers(in_kvm_->state(), state);
}

TEST_F(RoundTrip, EventsComeBack) {
  X86State state = test::filled_state();
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
  X86State state = test::filled_state();
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
  X86State state = test::filled_state();
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
  X86State state = test::filled_state();
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
