// The choice of an accelerator, among made-up ones.
#include "machine/accelerators.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "machine/speed_probe.h"
#include "tests/machine/fake_accelerator.h"

namespace kite {
namespace {

// Runs the trial loop in as long as a host of so many instructions per second would need.
template <u64 speed>
class TimedVcpu : public Vcpu {
 public:
  Result<Exit> run(Nanos) override {
    const std::chrono::nanoseconds time(2 * rounds_ * kSecond / speed);
    if (time > std::chrono::microseconds(1)) std::this_thread::sleep_for(time);
    return Exit{Exit::Kind::kHalted, false};
  }
  void kick() override {}
  void signal(Signal, u32) override {}
  X86State state() override { return {}; }
  Result<> set_state(const X86State& state) override {
    rounds_ = state.gpr[kRcx];
    return {};
  }

 private:
  u64 rounds_ = 0;
};

template <u64 speed>
class TimedAccelerator : public Accelerator {
 public:
  std::string_view name() const override { return "kvm"; }
  Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig&) override {
    return std::make_unique<TimedVcpu<speed>>();
  }
};

template <u64 speed>
Result<std::unique_ptr<Accelerator>> create_timed(const AcceleratorConfig&) {
  return std::make_unique<TimedAccelerator<speed>>();
}

Result<> usable() {
  return {};
}
Result<> unusable() {
  return fail(ErrorKind::kUnavailable, "/dev/kvm: Permission denied");
}

constexpr AcceleratorKind kFastKvm{"kvm", "", usable, create_timed<100'000'000'000>};
constexpr AcceleratorKind kSlowKvm{"kvm", "", usable, create_timed<1'500'000>};
constexpr AcceleratorKind kNoKvm{"kvm", "", unusable, nullptr};
constexpr AcceleratorKind kTcg{"tcg", "", usable, nullptr, [] { return 255u; }};

TEST(Accelerators, AutoTakesAFastKvm) {
  const AcceleratorKind* kinds[] = {&kFastKvm, &kTcg};
  auto choice = choose_accelerator("auto", kinds);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind->name, "kvm") << choice->reason;
}

TEST(Accelerators, AutoLeavesASlowKvmAndSaysSo) {
  const AcceleratorKind* kinds[] = {&kSlowKvm, &kTcg};
  RealClock clock;
  auto choice = choose_accelerator("auto", kinds);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind->name, "tcg");
  EXPECT_NE(choice->reason.find("million instructions per second on this host"), std::string::npos)
      << choice->reason;
  EXPECT_LT(clock.now(), 2 * kSecond);  // 10 ms on a host with nothing else to do
}

TEST(Accelerators, AutoSaysWhyKvmIsNotUsable) {
  const AcceleratorKind* kinds[] = {&kNoKvm, &kTcg};
  auto choice = choose_accelerator("auto", kinds);
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
  const AcceleratorKind* no_kvm[] = {&kNoKvm, &kTcg};
  const auto second = choose_accelerator("kvm,kernel-irqchip=off:tcg", no_kvm);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->kind->name, "tcg");
  EXPECT_EQ(second->options.kernel_irqchip, std::nullopt);
}

TEST(Accelerators, WhatIsWrongWithAPropertyIsNamed) {
  for (const auto& [text, words] : std::vector<std::pair<const char*, const char*>>{
           {"kvm,kernel_irqchip=on", "'kernel_irqchip'; did you mean 'kernel-irqchip'?"},
           {"kvm,", "no such property: ''"},
           {"kvm,dirty-ring=1024", "'dirty-ring'; did you mean dirty-ring-size?"},
           {"kvm,dirty-ring-size", "expected a power of two"},
           {"kvm,dirty-ring-size=512", "dirty-ring-size=512: expected a power of two from 1024"},
           {"kvm,dirty-ring-size=3000", "expected a power of two from 1024 to 65536"},
           {"kvm,dirty-ring-size=131072", "expected a power of two"},
           {"kvm,dirty-ring-size=4096k", "expected a power of two"},
           {"kvm,kernel-irqchip", "expected on or off"},
           {"kvm,kernel-irqchip=split", "kernel-irqchip=split: expected on or off"},
           {"tcg:kvm,kernel-irqchip=ON", "expected on or off"},
           {"tcg,kernel-irqchip=on", "kernel-irqchip"},
           {"auto,kernel-irqchip=on", "'auto' is no accelerator"},
           {"kvn,kernel-irqchip=on", "'kvn' is no accelerator"}}) {
    const Result<> checked = check_accelerator_list(text);
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().kind, ErrorKind::kUsage);
    EXPECT_NE(checked.error().message.find(words), std::string::npos) << checked.error().message;
  }
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
