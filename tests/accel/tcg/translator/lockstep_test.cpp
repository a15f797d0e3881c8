// Lockstep finds what translated code does wrong, says where and what, and ends the run; and is
// silent where nothing is wrong. What is wrong here is planted.
#include "accel/tcg/lockstep.h"

#include <gmock/gmock.h>

#include <functional>

#include "accel/tcg/vcpu.h"
#include "tests/accel/tcg/translator/translated_modes.h"

namespace kite {
namespace {

using testing::HasSubstr;

// One thing that goes wrong, in the first block with the instruction at `rip` behind `blocks`
// others.
struct Plant {
  enum class When { kNever, kBefore, kBehind };
  When when = When::kNever;
  u64 rip = 0;
  unsigned blocks = 0;
  std::function<void(tcg::Cpu&)> wrong;
  u64 found_in = 0;  // RIP of the block it was planted in
};

// The translator, but for that.
class Planted final : public tcg::BlockRunner {
 public:
  Planted(tcg::Cpu& cpu, std::unique_ptr<tcg::BlockRunner> runner, Plant& plant)
      : cpu_(cpu), runner_(std::move(runner)), plant_(plant) {}

  std::optional<Ran> run_alone(tcg::Block& block, u64 expected) override {
    const bool here = plant_.rip - cpu_.rip < block.bytes && ++blocks_ > plant_.blocks &&
                      plant_.when != Plant::When::kNever;
    const bool before = here && plant_.when == Plant::When::kBefore;
    if (here) plant_.found_in = cpu_.rip;
    if (before) go_wrong();
    const auto ran = runner_->run_alone(block, expected);
    if (here && !before) go_wrong();
    return ran;
  }
  std::optional<Ran> run(tcg::Block& block) override { return runner_->run(block); }
  void retired(tcg::Block& block) override { runner_->retired(block); }
  void forget_page(u64 linear) override { runner_->forget_page(linear); }
  void flush() override { runner_->flush(); }
  void add_to(TranslatorFigures& figures) const override { runner_->add_to(figures); }

 private:
  void go_wrong() {
    plant_.wrong(cpu_);
    plant_.when = Plant::When::kNever;
  }

  tcg::Cpu& cpu_;
  std::unique_ptr<tcg::BlockRunner> runner_;
  Plant& plant_;
  unsigned blocks_ = 0;
};

class LockstepTest : public TranslatedModes {
 protected:
  LockstepTest() {
    enter_long_mode();
    state_.cr4 |= cr4::kOsfxsr;
    vcpu_.reset();
    accelerator_.reset();
    processors_.flat.add(*space_.view());
    gpr(kRbx) = kData;
    gpr(kRsi) = kOther;
    gpr(kRcx) = kRounds;
  }

  ~LockstepTest() override { vcpu_.reset(); }  // ahead of what it uses

  // Runs `code` in lockstep until it halts, or an error.
  Result<Exit> run_compared(Bytes code) {
    code.push_back(kHlt);
    space_.write(kCode, code);
    auto vcpu = std::make_unique<tcg::TcgVcpu>(AcceleratorConfig{space_, ports_, clock_, model_},
                                               VcpuConfig{}, decoder_, processors_);
    planted() = &plant_;
    EXPECT_TRUE(vcpu->translate(
        *tcg::CodeMemory::create(MiB), tcg::TableKind::kHashed,
        [](tcg::Cpu& cpu, tcg::CodeMemory memory,
           tcg::TableKind tables) -> Result<std::unique_ptr<tcg::BlockRunner>> {
          return std::make_unique<Planted>(
              cpu, KITE_TRY(tcg::make_block_runner(cpu, std::move(memory), tables)), *planted());
        }));
    vcpu->compare();
    vcpu_ = std::move(vcpu);
    EXPECT_TRUE(vcpu_->set_state(state_));
    return vcpu_->run(kNever);
  }

  // Plants `wrong` behind the instruction at `rip` of kLoop, and answers what is reported.
  std::string report_of(u64 rip, std::function<void(tcg::Cpu&)> wrong) {
    plant_ = {Plant::When::kBehind, rip, kBlocksBefore, std::move(wrong), 0};
    testing::internal::CaptureStderr();
    const Result<Exit> exit = run_compared(kLoop);
    std::string text = testing::internal::GetCapturedStderr();
    EXPECT_FALSE(exit.has_value()) << "it was not found";
    if (exit) return text;
    EXPECT_EQ(exit.error().message,
              fmt::format("translated code and the interpreter differ at {:#x}", plant_.found_in));
    // At once, and with what the handlers did.
    const X86State after = vcpu_->state();
    EXPECT_GT(after.gpr[kRcx], 0u);
    EXPECT_LT(after.gpr[kRcx], kRounds);
    EXPECT_THAT(after.gpr[kRax], testing::AnyOf(3 * (kRounds - after.gpr[kRcx]),
                                                3 * (kRounds - after.gpr[kRcx] + 1)));
    return text;
  }

  // add eax, 3; mov [rbx], eax; paddd xmm0, xmm1; dec ecx; jnz
  static inline const Bytes kLoop = {0x83, 0xc0, 0x03, 0x89, 0x03, 0x66, 0x0f,
                                     0xfe, 0xc1, 0xff, 0xc9, 0x75, 0xf3};
  static constexpr u64 kAdd = kCode, kStore = kCode + 3, kVector = kCode + 5, kJump = kCode + 11;
  static constexpr u64 kRounds = 1000;
  static constexpr unsigned kBlocksBefore = 100;
  Plant plant_;

 private:
  static Plant*& planted() {
    static Plant* plant;
    return plant;
  }
  tcg::Decoder decoder_{model_};
  tcg::Processors processors_{1};
};

TEST_F(LockstepTest, FindsARegister) {
  const std::string text = report_of(kAdd, [](tcg::Cpu& cpu) { cpu.gpr[kRax] ^= u64{1} << 40; });
  const u64 right = vcpu_->state().gpr[kRax];
  EXPECT_THAT(text, HasSubstr("0x0000000000003000 83 c0 03"));
  EXPECT_THAT(text, HasSubstr("add eax, 3"));
  EXPECT_THAT(text, HasSubstr(fmt::format("before: rax={:x} rcx=", right - 3)));
  EXPECT_THAT(text, HasSubstr(fmt::format("rax: before {:#x}, handlers {:#x}, translated {:#x}\n",
                                          right - 3, right, right | u64{1} << 40)));
}

TEST_F(LockstepTest, FindsAFlag) {
  const std::string text =
      report_of(kAdd, [](tcg::Cpu& cpu) { cpu.flags.set(cpu.flags.get() ^ tcg::kCf); });
  EXPECT_THAT(text, testing::ContainsRegex("flags: before .*handlers 0x.*, translated 0x.*"));
  EXPECT_THAT(text, HasSubstr("add eax, 3"));
}

TEST_F(LockstepTest, FindsAStore) {
  const std::string text = report_of(kStore, [this](tcg::Cpu&) { put8(kData + 3, 0x80); });
  EXPECT_THAT(text, HasSubstr("mov dword ptr [rbx], eax"));
  EXPECT_THAT(text, HasSubstr("memory, 4 bytes: before "));
  EXPECT_THAT(text, testing::ContainsRegex("handlers   .. .. 00 00\n    translated .. .. 00 80\n"));
}

TEST_F(LockstepTest, FindsAVectorRegister) {
  const std::string text = report_of(kVector, [](tcg::Cpu& cpu) { cpu.fpu.zmm[0][15] ^= 0x80; });
  EXPECT_THAT(text, HasSubstr("paddd xmm0, xmm1"));
  EXPECT_THAT(text, testing::ContainsRegex("zmm0: before     0+\n    handlers   0+\n"
                                           "    translated 0{30}800+\n"));
}

TEST_F(LockstepTest, FindsAWrongWay) {
  const std::string text = report_of(kJump, [](tcg::Cpu& cpu) { cpu.rip = kCode + 13; });
  EXPECT_THAT(text, HasSubstr("handlers went to 0x3000 by instruction "));
  EXPECT_THAT(text, HasSubstr("translated code to 0x300d by instruction "));
}

TEST_F(LockstepTest, FindsNothingWhereNothingIsWrong) {
  const Result<Exit> exit = run_compared(kLoop);
  ASSERT_TRUE(exit.has_value()) << exit.error().message;
  EXPECT_EQ(vcpu_->state().gpr[kRax], 3 * kRounds);
}

// imul edx, eax; lea ecx, [rcx - 1]; jrcxz to the end; jmp: nobody looks at SF, ZF, AF and PF.
TEST_F(LockstepTest, AFlagThatIsLeftUndefinedMayDiffer) {
  plant_ = {Plant::When::kBehind, kCode, kBlocksBefore,
            [](tcg::Cpu& cpu) { cpu.flags.set(cpu.flags.get() ^ tcg::kSf); }, 0};
  const Result<Exit> exit =
      run_compared({0x0f, 0xaf, 0xd0, 0x8d, 0x49, 0xff, 0xe3, 0x02, 0xeb, 0xf6});
  EXPECT_TRUE(exit.has_value()) << exit.error().message;
  EXPECT_NE(plant_.found_in, 0u);
}

// mov eax, [rsi]; dec ecx; jnz: another processor, or a device, stores there when the handlers have
// run.
TEST_F(LockstepTest, AStoreOfSomebodyElseIsNoDifference) {
  plant_ = {Plant::When::kBefore, kCode, kBlocksBefore,
            [this](tcg::Cpu&) { put32(kOther, 0x1234); }, 0};
  const Result<Exit> exit = run_compared({0x8b, 0x06, 0xff, 0xc9, 0x75, 0xfa});
  ASSERT_TRUE(exit.has_value()) << exit.error().message;
  EXPECT_EQ(vcpu_->state().gpr[kRax], 0x1234u);
}

}  // namespace
}  // namespace kite
