#include "base/clock.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace kite {

namespace {

Nanos monotonic() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Nanos Clock::next_deadline() const {
  std::lock_guard lock(mutex_);
  Nanos earliest = kNever;
  for (const Timer* timer : armed_) earliest = std::min(earliest, timer->deadline_);
  return earliest;
}

void Clock::run_due() {
  run_until(now(), [](Nanos) {});
}

void Clock::run_until(Nanos until, const std::function<void(Nanos)>& before) {
  std::lock_guard running(running_);
  Nanos deadline;
  while (Timer* timer = take_due(until, deadline)) {
    before(deadline);
    timer->callback_();
  }
}

Timer* Clock::take_due(Nanos until, Nanos& deadline) {
  std::lock_guard lock(mutex_);
  auto earliest = std::min_element(armed_.begin(), armed_.end(),
                                   [](Timer* a, Timer* b) { return a->deadline_ < b->deadline_; });
  if (earliest == armed_.end() || (*earliest)->deadline_ > until) return nullptr;
  Timer* timer = *earliest;
  armed_.erase(earliest);
  deadline = std::exchange(timer->deadline_, kNever);
  return timer;
}

void Clock::arm(Timer& timer, Nanos deadline) {
  bool nearer;
  {
    std::lock_guard lock(mutex_);
    if (timer.deadline_ == kNever) armed_.push_back(&timer);
    timer.deadline_ = std::min(deadline, kNever - 1);
    nearer = std::none_of(armed_.begin(), armed_.end(),
                          [&](Timer* other) { return other->deadline_ < timer.deadline_; });
  }
  if (nearer && on_rearm_) on_rearm_();
}

void Clock::disarm(Timer& timer) {
  std::lock_guard lock(mutex_);
  if (std::exchange(timer.deadline_, kNever) != kNever) std::erase(armed_, &timer);
}

Timer::~Timer() {
  disarm();
  std::lock_guard running(clock_.running_);
}

RealClock::RealClock() : start_(monotonic()) {}

Nanos RealClock::now() const {
  return monotonic() - start_;
}

void ManualClock::advance(Nanos duration) {
  const Nanos until = now_ + duration;
  run_until(until, [this](Nanos deadline) { now_ = std::max(now_, deadline); });
  now_ = until;
}

}  // namespace kite
