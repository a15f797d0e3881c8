// Guest programs in slices, alternating between KVM and the interpreter: the state that one leaves
// must be the state that the other goes on from.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "machine/engines.h"
#include "machine/machine.h"
#include "tests/conformance/signal_device.h"
#include "tests/paths.h"

namespace kite {
namespace {

namespace fs = std::filesystem;

const AcceleratorKind* kind_of(std::string_view name) {
  for (const AcceleratorKind* kind : accelerator_kinds())
    if (kind->name == name) return kind;
  return nullptr;
}

// One processor with both engines; whichever runs gives way after a slice.
class SlicedVcpu final : public Vcpu {
 public:
  struct Engine {
    std::unique_ptr<Vcpu> vcpu;
    Accelerator* accelerator;
  };
  SlicedVcpu(Engine kvm, Engine tcg, Clock& clock, Nanos slice)
      : engines_{std::move(kvm), std::move(tcg)}, clock_(clock), slice_(slice) {}

  Result<Exit> run(Nanos deadline) override {
    for (;;) {
      const Nanos now = clock_.now();
      // Lengths of some variety, so that borders fall everywhere.
      length_ = length_ * 5 % 7 + 1;
      Result<Exit> exit = current().run(std::min(deadline, now + slice_ * length_ / 4));
      if (!exit) return exit;
      const bool slice_over = exit->kind == Exit::Kind::kDeadline && clock_.now() < deadline;
      if (!slice_over && exit->kind != Exit::Kind::kUnable) return exit;
      KITE_CHECK(turn());
    }
  }
  void kick() override {
    std::lock_guard lock(mutex_);
    current().kick();
  }
  void signal(Signal signal, u32 argument) override {
    std::lock_guard lock(mutex_);
    current().signal(signal, argument);
  }
  X86State state() override { return current().state(); }
  Result<> set_state(const X86State& state) override { return current().set_state(state); }

  static inline std::atomic<u64> turns{0};

 private:
  Vcpu& current() { return *engines_[holder_].vcpu; }
  Result<> turn() {
    std::lock_guard lock(mutex_);
    X86State state = current().state();
    state.tsc_at = clock_.now();
    const std::size_t next = 1 - holder_;
    engines_[next].accelerator->forget_derived();
    KITE_CHECK(engines_[next].vcpu->set_state(state));
    holder_ = next;
    ++turns;
    return {};
  }

  std::array<Engine, 2> engines_;
  Clock& clock_;
  const Nanos slice_;
  Nanos length_ = 3;
  std::mutex mutex_;
  std::size_t holder_ = 0;
};

class Sliced final : public Accelerator {
 public:
  static Result<std::unique_ptr<Accelerator>> create(const AcceleratorConfig& config) {
    auto made = std::make_unique<Sliced>(config);
    AcceleratorConfig user_chips = config;
    user_chips.options.kernel_irqchip = false;
    made->kvm_ = KITE_TRY(kind_of("kvm")->create(user_chips));
    const AcceleratorConfig same{config.memory,        config.ports, config.clock,
                                 *made->kvm_->model(), config.epoch, config.cpus};
    made->tcg_ = KITE_TRY(kind_of("tcg")->create(same));
    return made;
  }
  explicit Sliced(const AcceleratorConfig& config) : clock_(config.clock) {}
  std::string_view name() const override { return "sliced"; }
  Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig& config) override {
    return std::make_unique<SlicedVcpu>(
        SlicedVcpu::Engine{KITE_TRY(kvm_->create_vcpu(config)), kvm_.get()},
        SlicedVcpu::Engine{KITE_TRY(tcg_->create_vcpu(config)), tcg_.get()}, clock_, slice);
  }
  static inline Nanos slice = kMillisecond;

 private:
  Clock& clock_;
  std::unique_ptr<Accelerator> kvm_, tcg_;
};

const AcceleratorKind kSliced{"kvm", "alternates", [] { return Result<>(); }, &Sliced::create};
const AcceleratorKind* const kOnlySliced[] = {&kSliced};

std::vector<std::string> guest_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(std::string(paths::kSource) + "/tests/guests"))
    if (entry.path().extension() == ".cpp" && !entry.path().stem().string().starts_with("smp_"))
      names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

class Slices : public testing::TestWithParam<std::string> {};

TEST_P(Slices, EndAsOneEngineDoes) {
  if (kind_of("kvm") == nullptr) GTEST_SKIP() << "kvm is not part of this build";
  if (Result<> usable = kind_of("kvm")->probe(); !usable) GTEST_SKIP() << usable.error().message;
  const std::string& guest = GetParam();
  MachineConfig config;
  config.kernel = std::string(paths::kGuests) + "/" + guest + ".elf";
  if (!fs::exists(config.kernel)) GTEST_SKIP() << "built without a compiler for x86-64 guests";
  config.accel = "kvm";
  config.cpu = "max";
  config.memory_size = 64 * MiB;
  config.serial = {};
  config.timeout = 60 * kSecond;
  MachineOutside outside;
  outside.more_chips = SignalDevice::add;
  int wanted = 1;
  if (guest == "triple_fault") wanted = status_of(OutcomeKind::kTripleFault);
  if (guest == "dead_halt") wanted = status_of(OutcomeKind::kDeadHalt);
  // A KVM that interprets guest code may deviate from the manual by itself.
  config.accel = "kvm,kernel-irqchip=off";
  auto whole = Machine::create(config, outside);
  ASSERT_TRUE(whole) << whole.error().message;
  if (const Outcome alone = (*whole)->run(); alone.status != wanted)
    GTEST_SKIP() << "this host's KVM does not run it as the manual says: " << alone.reason;
  config.accel = "kvm";
  outside.accelerators = kOnlySliced;
  for (Nanos slice : {50 * kMicrosecond, 300 * kMicrosecond, 2 * kMillisecond}) {
    Sliced::slice = slice;
    auto machine = Machine::create(config, outside);
    ASSERT_TRUE(machine) << machine.error().message;
    const Outcome outcome = (*machine)->run();
    RecordProperty("turns", std::to_string(SlicedVcpu::turns.exchange(0)));
    EXPECT_EQ(outcome.status, wanted) << describe(outcome) << "; slices of " << slice << " ns";
  }
}

INSTANTIATE_TEST_SUITE_P(Every, Slices, testing::ValuesIn(guest_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kite
