// The choice of an accelerator, among made-up ones.
#include "machine/accelerators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "accel/tcg/block_runner.h"
#include "machine/speed_probe.h"
#include "tests/machine/fake_accelerator.h"

namespace kite {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// What the trial's clock shows: nothing here takes real time.
ManualClock trial_clock;
u64 trial_runs, trial_rounds;

// Runs the trial loop in as long as a host of so many instructions per second would need, on the
// clock that it is given, or until the deadline.
template <u64 speed>
class TimedVcpu : public Vcpu {
 public:
  explicit TimedVcpu(Clock& clock) : clock_(clock) {}
  Result<Exit> run(Nanos deadline) override {
    ++trial_runs;
    trial_rounds += rounds_;
    const Nanos time = static_cast<Nanos>(2 * rounds_ * kSecond / speed);
    const bool ends = clock_.now() + time < deadline;
    trial_clock.advance(ends ? time : std::max<Nanos>(deadline - clock_.now(), 0));
    return Exit{ends ? Exit::Kind::kHalted : Exit::Kind::kDeadline, false};
  }
  void kick() override {}
  void signal(Signal, u32) override {}
  X86State state() override { return {}; }
  Result<> set_state(const X86State& state) override {
    rounds_ = state.gpr[kRcx];
    return {};
  }

 private:
  Clock& clock_;
  u64 rounds_ = 0;
};

template <u64 speed>
class TimedAccelerator : public Accelerator {
 public:
  explicit TimedAccelerator(Clock& clock) : clock_(clock) {}
  std::string_view name() const override { return "kvm"; }
  Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig&) override {
    return std::make_unique<TimedVcpu<speed>>(clock_);
  }

 private:
  Clock& clock_;
};

template <u64 speed>
Result<std::unique_ptr<Accelerator>> create_timed(const AcceleratorConfig& config) {
  return std::make_unique<TimedAccelerator<speed>>(config.clock);
}

Result<> usable() {
  return {};
}
Result<> unusable() {
  return fail(ErrorKind::kUnavailable, "/dev/kvm: Permission denied");
}

constexpr u64 kMillion = 1'000'000;
constexpr AcceleratorKind kFastKvm{"kvm", "", usable, create_timed<100'000 * kMillion>};
constexpr AcceleratorKind kSlowKvm{"kvm", "", usable, create_timed<1'500'000>};
constexpr AcceleratorKind kNoKvm{"kvm", "", unusable, nullptr};
constexpr AcceleratorKind kTcg{"tcg", "", usable, create_timed<50 * kMillion>, [] { return 255u; }};

TEST(Accelerators, AutoTakesAFastKvm) {
  const AcceleratorKind* kinds[] = {&kFastKvm, &kTcg};
  auto choice = choose_accelerator("auto", kinds, 1, &trial_clock);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind->name, "kvm") << choice->reason;
  EXPECT_EQ(choice->others, "tcg");  // should it fail after all
  EXPECT_THAT(choice->reason, AllOf(StartsWith("kvm runs about "), HasSubstr(", tcg about ")));
}

TEST(Accelerators, AutoLeavesASlowKvmAndSaysSo) {
  const AcceleratorKind* kinds[] = {&kSlowKvm, &kTcg};
  auto choice = choose_accelerator("auto", kinds, 1, &trial_clock);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind->name, "tcg");
  EXPECT_THAT(choice->reason,
              AllOf(StartsWith("kvm runs only "),
                    HasSubstr(" million instructions per second on this host, tcg "),
                    HasSubstr("; it interprets guest code")));
}

// Not below a fixed speed, but below the interpreter's: the faster the engine, the more KVM needs.
TEST(Accelerators, AutoComparesWithTheInterpreter) {
  static constexpr AcceleratorKind kMiddling{"kvm", "", usable, create_timed<10 * kMillion>};
  static constexpr AcceleratorKind kSlower{"tcg", "", usable, create_timed<100'000>,
                                           [] { return 255u; }};
  const AcceleratorKind* slower_tcg[] = {&kMiddling, &kSlower};
  EXPECT_EQ(choose_accelerator("auto", slower_tcg, 1, &trial_clock)->kind->name, "kvm");
  const AcceleratorKind* faster_tcg[] = {&kMiddling, &kTcg};
  EXPECT_EQ(choose_accelerator("auto", faster_tcg, 1, &trial_clock)->kind->name, "tcg");
}

// The bound of 20 ms for both trials, on a clock that only the trials move.
template <u64 speed>
void expect_bounded_trial(u64 tolerance_percent) {
  static constexpr AcceleratorKind kKind{"kvm", "", usable, create_timed<speed>};
  trial_runs = trial_rounds = 0;
  const Nanos start = trial_clock.now();
  const Result<u64> measured = measure_speed(kKind, &trial_clock);
  ASSERT_TRUE(measured) << measured.error().message;
  EXPECT_LE(trial_clock.now() - start, kTrialLimit) << speed;
  EXPECT_LE(trial_runs, 2u + 2 * 5) << speed;
  EXPECT_LE(trial_rounds, 2u * (1 + 1'000 + 8'000 + 64'000 + 512'000 + 4'096'000)) << speed;
  EXPECT_NEAR(static_cast<double>(*measured) / speed, 1.0,
              static_cast<double>(tolerance_percent) / 100)
      << speed;
}

TEST(Accelerators, ATrialIsBoundedWhateverTheSpeed) {
  static_assert(2 * kTrialLimit <= 20 * kMillisecond);
  expect_bounded_trial<1'500'000>(1);
  expect_bounded_trial<30 * kMillion>(1);
  expect_bounded_trial<250 * kMillion>(1);
  expect_bounded_trial<5'000 * kMillion>(1);
}

TEST(Accelerators, ATrialThatDoesNotEndIsGivenUp) {
  static constexpr AcceleratorKind kSnail{"kvm", "", usable, create_timed<1'000>};
  trial_runs = 0;
  const Nanos start = trial_clock.now();
  const Result<u64> measured = measure_speed(kSnail, &trial_clock);
  ASSERT_TRUE(measured) << measured.error().message;
  EXPECT_LE(trial_clock.now() - start, kTrialLimit);
  EXPECT_LE(trial_runs, 4u);
  EXPECT_LE(*measured, 200'000u);
}

TEST(Accelerators, SpeedsAreToldInMillions) {
  EXPECT_EQ(in_millions(0), "less than 0.1 million");
  EXPECT_EQ(in_millions(1'499'999), "about 1.4 million");
  EXPECT_EQ(in_millions(9'990'000), "about 9.9 million");
  EXPECT_EQ(in_millions(240 * kMillion), "about 240 million");
}

TEST(Accelerators, AutoSaysWhyKvmIsNotUsable) {
  const AcceleratorKind* kinds[] = {&kNoKvm, &kTcg};
  auto choice = choose_accelerator("auto", kinds, 1, &trial_clock);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind->name, "tcg");
  EXPECT_NE(choice->reason.find("Permission denied"), std::string::npos);
}

TEST(Accelerators, KvmAloneMeansKvmOr69) {
  const AcceleratorKind* kinds[] = {&kNoKvm, &kTcg};
  auto choice = choose_accelerator("kvm", kinds);
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().kind, ErrorKind::kUnavailable);
}

TEST(Accelerators, AListTakesTheFirstUsableOneWithoutMeasuring) {
  const AcceleratorKind* slow[] = {&kSlowKvm, &kTcg};
  EXPECT_EQ(choose_accelerator("kvm:tcg", slow)->kind->name, "kvm");
  const AcceleratorKind* none[] = {&kTcg};
  EXPECT_EQ(choose_accelerator("kvm:tcg", none)->kind->name, "tcg");
  EXPECT_EQ(choose_accelerator("kvm:tcg", slow)->others, "tcg");
  EXPECT_EQ(choose_accelerator("kvm", slow)->others, "");
  EXPECT_EQ(choose_accelerator("kvm:tcg", none)->others, "");
}

TEST(Accelerators, TheTrialProgramRunsOnEveryUsableOne) {
  for (const AcceleratorKind* kind : accelerator_kinds()) {
    if (!kind->probe()) continue;
    Result<u64> speed = measure_speed(*kind);
    ASSERT_TRUE(speed) << kind->name << ": " << speed.error().message;
    EXPECT_GT(*speed, 10'000u) << kind->name;
  }
}

TEST(Accelerators, UnknownNamesAreUsageErrors) {
  for (std::string_view text : {"", "xen", "kvm:", ":tcg", "auto:tcg"}) {
    auto choice = choose_accelerator(text);
    ASSERT_FALSE(choice) << text;
    EXPECT_EQ(choice.error().kind, ErrorKind::kUsage) << text;
  }
}

TEST(Accelerators, PropertiesBelongToTheirPartOfTheList) {
  const AcceleratorKind* kinds[] = {&kSlowKvm, &kTcg};
  EXPECT_EQ(choose_accelerator("kvm", kinds)->options.kernel_irqchip, std::nullopt);
  EXPECT_EQ(choose_accelerator("kvm,kernel-irqchip=on", kinds)->options.kernel_irqchip, true);
  EXPECT_EQ(choose_accelerator("kvm", kinds)->options.dirty_ring_size, 0u);
  EXPECT_EQ(choose_accelerator("kvm,dirty-ring-size=4096", kinds)->options.dirty_ring_size, 4096u);
  const auto off = choose_accelerator("kvm,kernel-irqchip=off:tcg", kinds);
  ASSERT_TRUE(off) << off.error().message;
  EXPECT_EQ(off->kind->name, "kvm");
  EXPECT_EQ(off->options.kernel_irqchip, false);
  EXPECT_EQ(choose_accelerator("tcg", kinds)->options.translator, std::nullopt);
  EXPECT_EQ(choose_accelerator("tcg,translator=on", kinds)->options.translator, true);
  EXPECT_EQ(choose_accelerator("tcg", kinds)->options.flat_table, std::nullopt);
  EXPECT_EQ(choose_accelerator("tcg,flat-table=off", kinds)->options.flat_table, false);
  EXPECT_EQ(choose_accelerator("kvm:tcg,translator=off", kinds)->options.translator, std::nullopt);
  const AcceleratorKind* no_kvm[] = {&kNoKvm, &kTcg};
  EXPECT_EQ(choose_accelerator("kvm:tcg,translator=off", no_kvm)->options.translator, false);
  const auto second = choose_accelerator("kvm,kernel-irqchip=off:tcg", no_kvm);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->kind->name, "tcg");
  EXPECT_EQ(second->options.kernel_irqchip, std::nullopt);
}

TEST(Accelerators, WhatIsWrongWithAPropertyIsNamed) {
  for (const auto& [text, words] : std::vector<std::pair<const char*, const char*>>{
           {"kvm,kernel_irqchip=on", "'kernel_irqchip'; did you mean 'kernel-irqchip'?"},
           {"kvm,", "no such property: ''"},
           {"kvm,dirty-ring-siz=1024", "'dirty-ring-siz'; did you mean 'dirty-ring-size'?"},
           {"kvm,dirty-ring-size", "expected a power of two"},
           {"kvm,dirty-ring-size=512", "dirty-ring-size=512: expected a power of two from 1024"},
           {"kvm,dirty-ring-size=3000", "expected a power of two from 1024 to 65536"},
           {"kvm,dirty-ring-size=131072", "expected a power of two"},
           {"kvm,dirty-ring-size=4096k", "expected a power of two"},
           {"kvm,kernel-irqchip", "expected on or off"},
           {"kvm,kernel-irqchip=split", "kernel-irqchip=split: expected on or off"},
           {"tcg:kvm,kernel-irqchip=ON", "expected on or off"},
           {"tcg,kernel-irqchip=on", "--accel tcg: no such property: 'kernel-irqchip'"},
           {"tcg,tranlator=on", "'tranlator'; did you mean 'translator'?"},
           {"tcg,translator", "translator=: expected on or off"},
           {"tcg,translator=1", "--accel tcg: translator=1: expected on or off"},
           {"tcg,flat-table=small", "flat-table=small: expected on or off"},
           {"kvm,translator=on", "--accel kvm: no such property: 'translator'"},
           {"auto,kernel-irqchip=on", "'auto' is no accelerator"},
           {"kvn,kernel-irqchip=on", "'kvn' is no accelerator"}}) {
    const Result<> checked = check_accelerator_list(text);
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().kind, ErrorKind::kUsage);
    EXPECT_NE(checked.error().message.find(words), std::string::npos) << checked.error().message;
  }
}

// Portable builds have no translator.
TEST(Accelerators, ATranslatorThatCannotBeHadIsRefusedWhereNothingElseCanBeTaken) {
  const Result<> there = tcg::check_translator();
  const Result<> checked = check_accelerator_list("tcg,translator=on");
  EXPECT_EQ(checked.has_value(), there.has_value());
  if (!checked) {
    EXPECT_EQ(checked.error().message, "--accel tcg,translator=on: " + there.error().message);
  }
  EXPECT_TRUE(check_accelerator_list("kvm:tcg,translator=on"));
  EXPECT_TRUE(check_accelerator_list("tcg,translator=off"));
}

TEST(Accelerators, OneThatCannotRunSoManyProcessorsIsNotUsable) {
  constexpr const AcceleratorKind* kKinds[] = {&kFastKvm, &kTcg};
  const auto automatic = choose_accelerator("auto", kKinds, 2);
  ASSERT_TRUE(automatic);
  EXPECT_EQ(automatic->kind->name, "tcg");
  EXPECT_NE(automatic->reason.find("kvm runs 1 processor"), std::string::npos) << automatic->reason;
  const auto listed = choose_accelerator("kvm:tcg", kKinds, 4);
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->kind->name, "tcg");
  const auto kvm = choose_accelerator("kvm", kKinds, 2);
  ASSERT_FALSE(kvm);
  EXPECT_EQ(kvm.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(kvm.error().message.find("not 2"), std::string::npos) << kvm.error().message;
}

}  // namespace
}  // namespace kite
