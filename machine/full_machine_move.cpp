// A running machine leaves one accelerator and goes on in another.
#include <algorithm>

#include "base/log.h"
#include "machine/full_machine.h"

namespace kite {
namespace {

// What the guest was told it has and `next` does not offer; empty: nothing.
std::string missing_features(const CpuModel& seen, const CpuModel& next) {
  std::string missing;
  for (const FeatureName& feature : feature_names()) {
    if (seen.has(feature.feature) && !next.has(feature.feature))
      missing += fmt::format(" {}", feature.name);
  }
  return missing;
}

}  // namespace

// Makes the other accelerator, while the guest still runs.
Result<> FullMachine::prepare_move(const AcceleratorKind& kind) {
  if (kind.max_cpus() < config_.cpus) {
    return fail(ErrorKind::kUnavailable, "{} runs at most {} processors, and the machine has {}",
                kind.name, kind.max_cpus(), config_.cpus);
  }
  if (engines_->first().chips() != nullptr) {
    return fail(ErrorKind::kUnavailable,
                "the interrupt controllers are {}'s, and cannot be moved: start with "
                "kernel-irqchip=off",
                engines_->first().name());
  }
  Result<Vcpu*> made = engines_->find(kind.name, 0);
  if (!made) return tl::unexpected<Error>(std::move(made).error());
  const CpuModel* next = engines_->made(kind.name)->model();
  const CpuModel* seen = engines_->first().model();
  const std::string missing =
      missing_features(seen != nullptr ? *seen : cpu_model_, next != nullptr ? *next : cpu_model_);
  if (missing.empty()) return {};
  engines_->discard(kind.name);  // nobody falls back to KVM, the only one that can lack something
  return fail(ErrorKind::kUnavailable, "{} lacks what the guest was told it has:{}", kind.name,
              missing);
}

// Of processors whose counters the guest has not set apart, the first one's counts for all.
std::vector<X86State> FullMachine::states_for_move() {
  std::vector<X86State> states;
  for (auto& vcpu : vcpus_) {
    const Nanos now = clock_.now();  // before the counter is read: it may only go forward
    states.push_back(vcpu->state());
    X86State& state = states.back();
    state.tsc_at = now;
    if (state.tsc_adjust != states.front().tsc_adjust) continue;
    state.tsc = states.front().tsc;
    state.tsc_at = states.front().tsc_at;
  }
  return states;
}

// All of them, or none.
Result<> FullMachine::move_vcpus(std::string_view from, std::string_view to) {
  const std::vector<X86State> states = states_for_move();
  engines_->made(to)->forget_derived();
  Result<> moved;
  std::size_t count = 0;
  for (; count < vcpus_.size() && moved; ++count) {
    const auto index = static_cast<u32>(count);
    Vcpu* next = KITE_TRY(engines_->find(to, index));
    moved = vcpus_[count]->move(to, *next, states[count]);
  }
  if (moved) return {};
  for (std::size_t i = 0; i < count; ++i) {
    const auto index = static_cast<u32>(i);
    Vcpu* old = KITE_TRY(engines_->find(from, index));
    KITE_CHECK(vcpus_[i]->move(from, *old, states[i]));
  }
  return moved;
}

Result<> FullMachine::move_to(std::string_view accelerator) {
  const std::string_view from = choice_.kind->name;
  if (accelerator == from) return {};
  const auto kinds = outside_.accelerators;
  const auto kind = std::ranges::find(kinds, accelerator, &AcceleratorKind::name);
  if (kind == kinds.end())
    return fail(ErrorKind::kUnavailable, "{} is not part of this build", accelerator);
  KITE_CHECK(prepare_move(**kind));
  park_vcpus();
  Result<> moved = move_vcpus(from, accelerator);
  if (moved) {
    choice_.kind = *kind;
    choice_.reason = fmt::format("moved from {}", from);
    log::info("the machine goes on in {}", accelerator);
  }
  resume_vcpus(false);
  return moved;
}

}  // namespace kite
