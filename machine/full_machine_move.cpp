// A running machine leaves one accelerator and goes on in another.
#include <fmt/ranges.h>

#include <algorithm>

#include "accel/x86/missing_features.h"
#include "base/log.h"
#include "machine/full_machine.h"

namespace kite {

// Makes the other accelerator, while the guest still runs.
Result<> FullMachine::prepare_move(const AcceleratorKind& kind) {
  if (kind.max_cpus() < config_.cpus) {
    return fail(ErrorKind::kUnavailable, "{} runs at most {} processors, and the machine has {}",
                kind.name, kind.max_cpus(), config_.cpus);
  }
  Result<Vcpu*> made = engines_->find(kind.name, 0);
  if (!made) return tl::unexpected<Error>(std::move(made).error());
  const CpuModel* model = engines_->made(kind.name)->model();
  const CpuModel& next = model != nullptr ? *model : cpu_model_;
  const std::vector<std::string> missing = missing_features(seen_model(), next);
  if (missing.empty()) {
    if (next.tsc_hz != seen_model().tsc_hz)
      log::warning("{} cannot count the guest's TSC at {} kHz: it goes on at {} kHz", kind.name,
                   seen_model().tsc_hz / 1000, next.tsc_hz / 1000);
    return {};
  }
  // The interpreter, which has no model of its own, stays: a vCPU may be falling back to it now.
  if (model != nullptr) engines_->discard(kind.name);
  return fail(ErrorKind::kUnavailable, "{} lacks what the guest was told it has: {}", kind.name,
              fmt::join(missing, " "));
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

// Every register of the interrupt controllers is the board's afterwards.
Result<std::vector<X86State>> FullMachine::leave_accelerator() {
  if (chips() == nullptr) return states_for_move();
  give_events_to(nullptr);
  Result<ChipStates> fetched = interrupts_.fetch();
  if (!fetched) {
    give_events_to(chips());
    return tl::unexpected<Error>(std::move(fetched).error());
  }
  std::vector<X86State> states = states_for_move();
  interrupts_.come_back(*fetched, states);
  return states;
}

// On an error the board has its registers back.
Result<> FullMachine::enter_accelerator(const AcceleratorKind& kind, std::vector<X86State> states) {
  Accelerator& next = *engines_->made(kind.name);
  InterruptChips* away = next.chips();
  next.forget_derived();
  if (away != nullptr) interrupts_.put_local_apics(states);
  Result<> entered;
  for (std::size_t i = 0; i < vcpus_.size() && entered; ++i) {
    Vcpu* vcpu = KITE_TRY(engines_->find(kind.name, static_cast<u32>(i)));
    entered = vcpus_[i]->move(kind.name, *vcpu, states[i]);
  }
  if (entered && away != nullptr) entered = interrupts_.move_away(*away);
  if (!entered) {
    if (away != nullptr) interrupts_.take_local_apics(states);
    return entered;
  }
  if (away != nullptr) give_events_to(away);
  choice_.kind = &kind;
  return entered;
}

// On an error the machine is where it was, or at its end if it cannot go back either.
Result<> FullMachine::change_accelerator(const AcceleratorKind& to) {
  const AcceleratorKind& from = *choice_.kind;
  const std::vector<X86State> states = KITE_TRY(leave_accelerator());
  Result<> entered = enter_accelerator(to, states);
  if (entered) return entered;
  if (Result<> back = enter_accelerator(from, states); !back) control_.fail(back.error());
  return entered;
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
  Result<> moved = change_accelerator(**kind);
  if (moved) {
    choice_.reason = fmt::format("moved from {}", from);
    log::info("the machine goes on in {}", accelerator);
  }
  watch_halts();
  resume_vcpus(true);  // who slept in HLT asks the accelerator whether it still may
  return moved;
}

}  // namespace kite
