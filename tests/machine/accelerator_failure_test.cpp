// Accelerators that look usable and then cannot make the machine.
#include <gmock/gmock.h>

#include "tests/machine/run_fake.h"

namespace kite::test {
namespace {

using testing::HasSubstr;
using testing::Not;

Result<> usable() {
  return {};
}

// KVM_CREATE_VM where another hypervisor holds the processor.
Result<std::unique_ptr<Accelerator>> busy(const AcceleratorConfig&) {
  return fail(ErrorKind::kUnavailable, "no virtual machine: Device or resource busy");
}

// Has a virtual machine, but no second vCPU.
class OneVcpu final : public Accelerator {
 public:
  explicit OneVcpu(const AcceleratorConfig& config) : config_(config) {}
  std::string_view name() const override { return "kvm"; }
  Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig& config) override {
    if (config.index > 0)
      return fail(ErrorKind::kUnavailable, "no vCPU {}: Cannot allocate memory", config.index);
    return std::make_unique<FakeVcpu>(config_, config.interrupts, FakeProgram{});
  }

 private:
  AcceleratorConfig config_;
};

Result<std::unique_ptr<Accelerator>> one_vcpu(const AcceleratorConfig& config) {
  return std::make_unique<OneVcpu>(config);
}

// Wants the properties of the list's second wish, not of the first.
Result<std::unique_ptr<Accelerator>> without_rings(const AcceleratorConfig& config) {
  if (config.options.dirty_ring_size != 0) return fail(ErrorKind::kUnavailable, "no dirty rings");
  return std::make_unique<OneVcpu>(config);
}

constexpr AcceleratorKind kBusy{"kvm", "", usable, busy, [] { return 255u; }};
constexpr AcceleratorKind kOneVcpu{"kvm", "", usable, one_vcpu, [] { return 255u; }};
constexpr AcceleratorKind kWithoutRings{"kvm", "", usable, without_rings};

class AcceleratorFailure : public testing::Test {
 protected:
  Result<std::unique_ptr<Machine>> create(const AcceleratorKind& kvm, std::string list,
                                          unsigned cpus = 1) {
    config_.accel = std::move(list);
    config_.cpus = cpus;
    MachineOutside outside;
    outside.serial = &null_serial;
    kinds_ = {&kvm, tcg_.kinds().front()};
    outside.accelerators = kinds_;
    return Machine::create(config_, std::move(outside));
  }

  MachineConfig config_ = fake_config();
  FakeAccelerator tcg_{[](FakeVcpu& vcpu) -> Result<Exit> {
    vcpu.out(0xf4, 0);
    return vcpu.spin();
  }};
  std::vector<const AcceleratorKind*> kinds_;
};

TEST_F(AcceleratorFailure, AListGoesOnToTheNextAndSaysWhy) {
  auto machine = create(kBusy, "kvm:tcg");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ((*machine)->accelerator().kind->name, "tcg");
  EXPECT_THAT((*machine)->summary(), HasSubstr("tcg (kvm is not usable: no virtual machine: Device "
                                               "or resource busy)"));
  const Outcome outcome = (*machine)->run();
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << outcome.reason;
  EXPECT_EQ(outcome.accelerator, "tcg");
}

TEST_F(AcceleratorFailure, SoDoesAListWhoseFirstLacksAVcpu) {
  auto machine = create(kOneVcpu, "kvm:tcg", 2);
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ((*machine)->accelerator().kind->name, "tcg");
  EXPECT_THAT((*machine)->summary(), HasSubstr("kvm is not usable: no vCPU 1: Cannot allocate"));
  EXPECT_EQ((*machine)->run().kind, OutcomeKind::kExitValue);
}

TEST_F(AcceleratorFailure, TheSameAcceleratorMayFollowWithOtherProperties) {
  auto machine = create(kWithoutRings, "kvm,dirty-ring-size=4096:kvm:tcg");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ((*machine)->accelerator().kind->name, "kvm");
  EXPECT_EQ((*machine)->accelerator().reason, "kvm is not usable: no dirty rings");
}

TEST_F(AcceleratorFailure, EveryoneWhoFailedIsNamed) {
  auto machine = create(kBusy, "kvm,dirty-ring-size=4096:kvm:tcg");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ((*machine)->accelerator().kind->name, "tcg");
  const std::string once = "kvm is not usable: no virtual machine: Device or resource busy";
  EXPECT_EQ((*machine)->accelerator().reason, once + "; " + once);
}

TEST_F(AcceleratorFailure, OneAloneIsAnErrorInItsOwnWords) {
  auto machine = create(kBusy, "kvm");
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(machine.error().message, "no virtual machine: Device or resource busy");
}

TEST_F(AcceleratorFailure, TheLastOfAListIsAnErrorToo) {
  auto machine = create(kBusy, "tcg:kvm");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ((*machine)->accelerator().kind->name, "tcg");
  EXPECT_FALSE(create(kBusy, "kvm:kvm"));
}

TEST_F(AcceleratorFailure, AWrongCommandLineIsNotPassedOver) {
  config_.machine = "bare";
  auto machine = create(kOneVcpu, "kvm,kernel-irqchip=on:tcg");
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(machine.error().message, HasSubstr("has no interrupt controllers"));
}

// Fast enough in its trial, and then not there.
TEST_F(AcceleratorFailure, AutoGoesOnToTheInterpreter) {
  AcceleratorChoice choice{.kind = &kBusy, .reason = "kvm runs faster", .others = "tcg"};
  const AcceleratorKind* kinds[] = {&kBusy, tcg_.kinds().front()};
  auto next = choose_other(choice, {ErrorKind::kUnavailable, "busy"}, kinds);
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(next->kind->name, "tcg");
  EXPECT_EQ(next->reason, "kvm is not usable: busy");
  EXPECT_THAT(next->reason, Not(HasSubstr("faster")));
  EXPECT_EQ(next->others, "");
}

}  // namespace
}  // namespace kite::test
