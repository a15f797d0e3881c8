#include "machine/halt_watch.h"

#include <algorithm>

#include "accel/x86/registers.h"

namespace kite {
namespace {

constexpr Nanos kFirstInterval = kSecond / 4, kLongestInterval = 2 * kSecond;
// A vCPU whose device waits for the host does not come out; then the loop must go on.
constexpr Nanos kParkingLimit = 50 * kMillisecond;

bool is_dead_state(const X86State& state) {
  if (state.pending.exception || state.pending.nmi) return false;
  if (state.mp_state == MpState::kWaitForSipi) return true;
  return state.mp_state == MpState::kHalted && (state.rflags & rflags::kIf) == 0;
}

}  // namespace

HaltWatch::HaltWatch(Clock& clock, const std::vector<std::unique_ptr<Processor>>& processors,
                     std::function<void()> dead)
    : clock_(clock),
      processors_(processors),
      dead_(std::move(dead)),
      used_(processors.size(), -1),
      interval_(kFirstInterval),
      timer_(clock, [this] { look(); }) {}

void HaltWatch::start() {
  timer_.arm(clock_.now() + interval_);
}

bool HaltWatch::used_time() {
  bool used = false;
  for (std::size_t i = 0; i < processors_.size(); ++i) {
    const Nanos now = processors_[i]->thread().time_used().value_or(-1);
    used |= now == -1 || now != used_[i];
    used_[i] = now;
  }
  return used;
}

void HaltWatch::look() {
  if (used_time()) {
    judged_ = false;
    interval_ = kFirstInterval;
  } else if (!judged_) {
    if (is_dead()) return dead_();
    used_time();  // parking used some
    judged_ = true;
  } else {
    interval_ = std::min(interval_ * 2, kLongestInterval);
  }
  timer_.arm(clock_.now() + interval_);
}

bool HaltWatch::is_dead() {
  std::size_t parked = 0;
  while (parked < processors_.size() && processors_[parked]->thread().park_within(kParkingLimit))
    ++parked;
  bool dead = parked == processors_.size();
  for (std::size_t i = 0; dead && i < parked; ++i)
    dead = is_dead_state(processors_[i]->thread().parked_state());
  for (std::size_t i = 0; i < parked; ++i) processors_[i]->thread().resume(false);
  return dead;
}

}  // namespace kite
