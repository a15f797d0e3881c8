// Instruction fall-back with an engine that knows next to nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "accel/tcg/block_runner.h"
#include "accel/tcg/tcg.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "machine/movable_vcpu.h"
#include "machine/sandbox.h"
#include "memory/backend.h"

namespace kite {
namespace {

// Can execute HLT, and nothing else.
class HelplessVcpu final : public Vcpu {
 public:
  explicit HelplessVcpu(AddressSpace& memory) : memory_(memory) {}
  Result<Exit> run(Nanos) override {
    if (kicked_.exchange(false)) return Exit{Exit::Kind::kKicked};
    if (state_.mp_state == MpState::kHalted) return Exit{Exit::Kind::kHalted, false};
    if (memory_.read_value(state_.rip, 1) != 0xf4) return Exit{Exit::Kind::kUnable};
    state_.rip += 1;
    state_.mp_state = MpState::kHalted;
    return Exit{Exit::Kind::kHalted, false};
  }
  void kick() override { kicked_ = true; }
  void signal(Signal, u32) override { ++signals; }
  X86State state() override { return state_; }
  Result<> set_state(const X86State& state) override {
    state_ = state;
    return {};
  }
  Error why_unable() override { return {ErrorKind::kInternal, "helpless"}; }
  int signals = 0;

 private:
  AddressSpace& memory_;
  X86State state_;
  std::atomic<bool> kicked_{false};
};

class Helpless final : public Accelerator {
 public:
  explicit Helpless(const AcceleratorConfig& config) : config_(config) {}
  std::string_view name() const override { return "helpless"; }
  Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig&) override {
    return std::make_unique<HelplessVcpu>(config_.memory);
  }
  const CpuModel* model() const override { return &config_.model; }

 private:
  AcceleratorConfig config_;
};

const AcceleratorKind kHelpless{
    "helpless", "", [] { return Result<>(); },
    [](const AcceleratorConfig& config) -> Result<std::unique_ptr<Accelerator>> {
      return std::make_unique<Helpless>(config);
    }};

class FallBackTest : public testing::Test {
 protected:
  using Bytes = std::vector<u8>;
  static constexpr Gpa kCode = 0x1000;

  FallBackTest() {
    memory_ = std::move(*allocate(*parse_backend("ram,size=1M")));
    AddressSpace::Edit(space_).map({0, memory_.size(), Region::ram("ram", memory_)});
  }

  // Real mode at kCode, with an interpreter or without; false: run() failed, and said `failure`.
  bool run(std::vector<u8> code, bool with_interpreter = true) {
    make_engines(with_interpreter);
    space_.write(kCode, code);
    X86State state = X86State::after_reset();
    state.segments[kCs].selector = 0;
    state.segments[kCs].base = 0;
    state.rip = kCode;
    EXPECT_TRUE(vcpu_->set_state(state));
    return run_to_halt();
  }
  void make_engines(bool with_interpreter) {
    kinds_ = {&kHelpless};
    if (with_interpreter) kinds_.push_back(&tcg_kind());
    engines_ = std::move(*Engines::create({space_, ports_, clock_, model_}, kinds_, kHelpless));
    const VcpuConfig config;
    Vcpu* first = *engines_->add_processor(config);
    vcpu_ = std::make_unique<MovableVcpu>(*engines_, config, clock_, "helpless", *first);
  }
  bool run_to_halt() {
    Result<Exit> exit = vcpu_->run(kNever);
    if (!exit) failure_ = exit.error().message;
    return exit && exit->kind == Exit::Kind::kHalted;
  }
  // 32-bit and flat, before a loop that ends in HLT.
  X86State protected_mode() {
    space_.write(kCode, Bytes{0xb9, 0x00, 0x30, 0, 0,          // mov ecx, 3000h
                              0xff, 0xc9, 0x75, 0xfc, 0xf4});  // dec ecx; jnz; hlt
    X86State state = X86State::after_reset();
    state.cr0 = cr0::kPe | cr0::kEt;
    state.segments.fill({.selector = 16, .limit = 0xffffffff, .type = 3, .db = true, .g = true});
    state.segments[kCs].selector = 8;
    state.segments[kCs].type = 11;
    state.rip = kCode;
    return state;
  }

  HostMemory memory_;
  AddressSpace space_;
  PortSpace ports_;
  RealClock clock_;
  CpuModel model_ = *find_cpu_model("max");
  std::vector<const AcceleratorKind*> kinds_;
  std::unique_ptr<Engines> engines_;
  std::unique_ptr<MovableVcpu> vcpu_;
  std::string failure_;
};

TEST_F(FallBackTest, TheInterpreterExecutesWhatTheEngineCannot) {
  ASSERT_TRUE(run({0xb8, 0x34, 0x12, 0x40, 0xf4})) << failure_;  // MOV AX, 1234h; INC AX; HLT
  EXPECT_EQ(vcpu_->state().gpr[kRax], 0x1235u);
  EXPECT_GE(vcpu_->fall_backs(), 1u);
  EXPECT_EQ(vcpu_->fall_back_instructions(), 2u);
}

TEST_F(FallBackTest, ManyInARowAreSoonOneStay) {
  // MOV CX, 3000h; INC AX; LOOP -3; HLT: more than 24 000 instructions
  ASSERT_TRUE(run({0xb9, 0x00, 0x30, 0x40, 0xe2, 0xfd, 0xf4})) << failure_;
  EXPECT_EQ(vcpu_->state().gpr[kRax] & 0xffff, 0x3000u);
  EXPECT_EQ(vcpu_->fall_back_instructions(), 1 + 2 * 0x3000u);
  // On a host that is loaded the stays may be far apart, but then each is no failure either.
  EXPECT_LE(vcpu_->fall_backs(), vcpu_->fall_back_instructions());
}

// As the access does by which a guest suspends to RAM: it must not go on behind it.
TEST_F(FallBackTest, AKickEndsAStayBehindTheInstructionThatCausedIt) {
  struct Kicker : IoHandler {
    explicit Kicker(std::unique_ptr<MovableVcpu>& target) : vcpu(target) {}
    u64 read(u64, unsigned) override { return 0; }
    void write(u64, u64, unsigned) override { vcpu->kick(); }
    std::unique_ptr<MovableVcpu>& vcpu;
  } kicker{vcpu_};
  ASSERT_TRUE(ports_.map("kicker", 0x80, 1, kicker));
  // MOV CX, 3000h; INC AX; LOOP -3; OUT 80h, AL; MOV BX, 1; HLT: the loop makes the stays long
  const Bytes code = {0xb9, 0x00, 0x30, 0x40, 0xe2, 0xfd, 0xe6, 0x80, 0xbb, 0x01, 0x00, 0xf4};
  EXPECT_FALSE(run(code));
  EXPECT_EQ(failure_, "");
  EXPECT_EQ(vcpu_->state().rip, kCode + 8);
  EXPECT_EQ(vcpu_->state().gpr[kRbx], 0u);
}

TEST_F(FallBackTest, WithoutAnInterpreterTheEnginesSentenceIsTheError) {
  EXPECT_FALSE(run({0x40, 0xf4}, false));
  EXPECT_EQ(failure_, "helpless");
}

// A host's processor has no way to hide an instruction, and programs rely on it.
TEST_F(FallBackTest, AnInstructionThatTheModelDoesNotOfferIsExecutedAllTheSame) {
  model_ = *find_cpu_model("max,-popcnt");
  ASSERT_TRUE(run({0xb8, 0x11, 0x10, 0xf3, 0x0f, 0xb8, 0xd8, 0xf4})) << failure_;  // POPCNT BX, AX
  EXPECT_EQ(vcpu_->state().gpr[kRbx] & 0xffff, 3u);
}

// The guest was told that there is none, KVM could not execute it, and the interpreter did.
TEST_F(FallBackTest, InvpcidIsUndefinedWhereTheModelDoesNotOfferIt) {
  space_.write(4 * kInvalidOpcode, Bytes{0x00, 0x20, 0x00, 0x00});
  space_.write(0x2000, Bytes{0xbb, 0x06, 0x00, 0xf4});  // MOV BX, 6; HLT
  // MOV AX, 2; MOV DI, 3000h; INVPCID EAX, [DI]; HLT
  const Bytes code = {0xb8, 0x02, 0x00, 0xbf, 0x00, 0x30, 0x66, 0x0f, 0x38, 0x82, 0x05, 0xf4};
  ASSERT_TRUE(run(code)) << failure_;
  EXPECT_EQ(vcpu_->state().gpr[kRbx], 0u);
  model_ = *find_cpu_model("max,-invpcid");
  ASSERT_TRUE(run(code)) << failure_;
  EXPECT_EQ(vcpu_->state().gpr[kRbx], 6u);
}

// AVX-512 has no Feature, so the interpreter has none of its instructions.
TEST_F(FallBackTest, AnInstructionThatNeitherKnowsIsAnErrorWhereTheModelOffersMore) {
  for (CpuidEntry& entry : model_.cpuid)
    if (entry.leaf == 7) entry.value.ebx |= 1u << 16;
  ASSERT_TRUE(has_unnamed_features(model_));
  EXPECT_TRUE(run({0x40, 0xf4})) << failure_;
  EXPECT_FALSE(run({0x0f, 0x38, 0xff, 0xc0}));
  EXPECT_EQ(failure_, "helpless; nor does Kite's interpreter know it");
}

TEST_F(FallBackTest, AFallBackIsNotTranslated) {
  ASSERT_TRUE(run({0xb9, 0x00, 0x30, 0x40, 0xe2, 0xfd, 0xf4})) << failure_;
  EXPECT_FALSE(engines_->translator_figures());
}

// No memory can be made executable then.
TEST_F(FallBackTest, AMoveInsideTheSandboxIsTranslated) {
  if (const std::string why = sandbox::why_not(); !why.empty()) GTEST_SKIP() << why;
  if (!tcg::prepare_block_runners()) GTEST_SKIP() << "no translator";
  EXPECT_EXIT(
      {
        make_engines(true);
        const bool closed = sandbox::prepare() && sandbox::enter(sandbox::Thread::kVcpu);
        Vcpu& tcg = **engines_->find("tcg", 0);
        const bool halted = closed && vcpu_->move("tcg", tcg, protected_mode()) && run_to_halt();
        const auto figures = engines_->translator_figures();
        std::_Exit(halted && figures && figures->blocks > 0 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(StayLengthTest, GrowsWhileFallBacksAreDenseAndShrinksAfterwards) {
  StayLength stay;
  stay.begin(kSecond);
  EXPECT_EQ(stay.instructions(), 1u);
  for (int i = 0; i < 4; ++i) stay.begin(10 * kMicrosecond);
  EXPECT_EQ(stay.instructions(), 16u);
  for (int i = 0; i < 40; ++i) stay.begin(10 * kMicrosecond);
  const u64 most = stay.instructions();
  EXPECT_LE(most, 20'000u);
  stay.begin(500 * kMicrosecond);
  EXPECT_EQ(stay.instructions(), most);
  for (int i = 0; i < 8; ++i) stay.begin(kSecond);
  EXPECT_EQ(stay.instructions(), 1u);
}

}  // namespace
}  // namespace kite
