#include "machine/movable_vcpu.h"

#include <algorithm>

namespace kite {

// A round trip to the interpreter costs some ten microseconds: what the holder manages in a few of
// those is not worth going back for.
void StayLength::begin(Nanos since) {
  constexpr Nanos kDense = 100 * kMicrosecond, kSparse = 2 * kMillisecond;
  if (since < kDense)
    instructions_ = std::min(2 * instructions_, kMost);
  else if (since > kSparse)
    instructions_ = std::max<u64>(instructions_ / 16, 1);
}

MovableVcpu::MovableVcpu(Engines& engines, const VcpuConfig& config, Clock& clock,
                         std::string_view accelerator, Vcpu& first)
    : engines_(engines),
      index_(config.index),
      clock_(clock),
      accelerator_(accelerator),
      holder_(&first) {}

Result<Exit> MovableVcpu::run(Nanos deadline) {
  for (;;) {
    Result<Exit> exit = holder().run(deadline);
    if (!exit || exit->kind != Exit::Kind::kUnable) return exit;
    if (std::optional<Exit> end = KITE_TRY(fall_back())) return *end;
  }
}

// Without the lock: who kicks may hold a chip's that move() needs. A kick that goes to the former
// holder is not missed, since whoever moves has parked every processor.
void MovableVcpu::kick() {
  holder().kick();
  if (Vcpu* interpreter = interpreter_.load()) interpreter->kick();  // it ends a stay
}

void MovableVcpu::signal(Signal signal, u32 argument) {
  std::lock_guard lock(mutex_);
  holder().signal(signal, argument);
}

Result<std::optional<Exit>> MovableVcpu::fall_back() {
  if (interpreter_ == nullptr) {
    interpreter_ = KITE_TRY(engines_.find("tcg", index_));
    if (interpreter_ == nullptr || interpreter_ == holder_)
      return tl::unexpected<Error>(holder().why_unable());
    Accelerator& mine = *engines_.made(accelerator_);
    limits_.supervisor_stores = !mine.shadows_page_tables();
    limits_.unknown_is_defined = mine.model() != nullptr && has_unnamed_features(*mine.model());
  }
  stay_.begin(clock_.now() - last_);
  limits_.instructions = stay_.instructions();
  const X86State lent = holder().lend();
  X86State now = lent;
  const Burst burst = KITE_TRY(interpreter_.load()->execute(now, limits_));
  if (burst.instructions == 0) {
    Error error = holder().why_unable();
    error.message += "; nor does Kite's interpreter know it";
    return tl::unexpected<Error>(std::move(error));
  }
  KITE_CHECK(holder().take_back(lent, now, burst.translations_changed));
  fall_backs_.fetch_add(1, std::memory_order_relaxed);
  executed_.fetch_add(burst.instructions, std::memory_order_relaxed);
  engines_.note_fall_back(accelerator_, burst, lent.rip);
  last_ = clock_.now();
  return burst.end;
}

Result<> MovableVcpu::move(std::string_view accelerator, Vcpu& to, const X86State& state) {
  std::lock_guard lock(mutex_);
  KITE_CHECK(to.set_state(state));
  holder_ = &to;
  accelerator_ = accelerator;
  interpreter_ = nullptr;
  return {};
}

}  // namespace kite
