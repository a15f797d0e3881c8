#include "machine/halt_watch.h"

#include <algorithm>

#include "accel/x86/registers.h"

namespace kite {
namespace {

constexpr Nanos kFirstInterval = kSecond / 4, kLongestInterval = 2 * kSecond;
constexpr Nanos kFirstPatience = 30 * kSecond, kLongestPatience = 480 * kSecond;
constexpr Nanos kSettlingTime = 10 * kMillisecond;
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
  phase_ = Phase::kWatching;
  interval_ = kFirstInterval;
  patience_ = kFirstPatience;
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
  const bool used = used_time();
  if (phase_ == Phase::kSettling) {
    phase_ = Phase::kJudged;
    interval_ = kFirstInterval;
  } else if (used) {
    phase_ = Phase::kWatching;
    interval_ = kFirstInterval;
    patience_ = kFirstPatience;
  } else if (phase_ == Phase::kWatching || clock_.now() - judged_ > patience_) {
    return judge();
  } else {
    interval_ = std::min(interval_ * 2, kLongestInterval);
  }
  timer_.arm(clock_.now() + interval_);
}

void HaltWatch::judge() {
  if (is_dead()) return dead_();
  if (phase_ == Phase::kJudged) patience_ = std::min(patience_ * 2, kLongestPatience);
  phase_ = Phase::kSettling;
  judged_ = clock_.now();
  timer_.arm(judged_ + kSettlingTime);
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
