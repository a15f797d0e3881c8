#include "devices/irq/local_apic_timer.h"

#include <algorithm>

#include "base/bits.h"

namespace kite {

namespace {

constexpr u128 kPerSecond = static_cast<u128>(kSecond);

Nanos clamp_time(u128 time) {
  return time >= static_cast<u128>(kNever) ? kNever - 1 : static_cast<Nanos>(time);
}

// Divide configuration register, SDM 3A figure 11-10: bits 3, 1, 0 count 2, 4, … 128, 1.
unsigned divide_shift(u32 divide_configuration) {
  const u32 code = (divide_configuration & 3) | ((divide_configuration >> 1) & 4);
  return (code + 1) & 7;
}

}  // namespace

LocalApicTimer::LocalApicTimer(Clock& clock, u64 bus_hz, u64 tsc_hz, std::function<void()> expired)
    : clock_(clock),
      bus_hz_(std::max<u64>(bus_hz, 1)),
      tsc_hz_(std::max<u64>(tsc_hz, 1)),
      timer_(clock, std::move(expired)) {}

void LocalApicTimer::reset() {
  stop();
  mode_ = Mode::kOneShot;
  divide_ = 0;
  initial_ = 0;
  deadline_ = 0;
}

void LocalApicTimer::transfer(Archive& archive) {
  archive.field("timer_mode", mode_);
  archive.field("timer_divide", divide_);
  archive.field("timer_initial", initial_);
  archive.field("timer_start", start_);
  archive.field("timer_next", next_);
  archive.field("timer_running", running_);
  archive.field("tsc_deadline", deadline_);
  archive.field("tsc_offset", offset_);
  if (archive.is_saving()) return;
  mode_ = static_cast<Mode>(static_cast<u8>(mode_) & 3);
  divide_ &= 0xB;
  timer_.disarm();
  running_ = running_ && initial_ != 0;
  if (running_) timer_.arm(time_of(next_));
  if (deadline_ != 0) timer_.arm(clock_.now());
}

void LocalApicTimer::set_state(Mode mode, u32 divide_configuration, u32 initial, u32 current,
                               u64 deadline) {
  reset();
  mode_ = mode;
  divide_ = divide_configuration & 0xB;
  if (mode == Mode::kTscDeadline) {
    deadline_ = deadline;
    if (deadline != 0) timer_.arm(clock_.now());  // which looks again
    return;
  }
  initial_ = initial;
  running_ = initial != 0 && (current != 0 || mode == Mode::kPeriodic);
  resume(current == 0 ? initial : std::min(current, initial));
}

u64 LocalApicTimer::ticks(Nanos time) const {
  const u128 bus = static_cast<u128>(std::max<Nanos>(time, 0)) * bus_hz_ / kPerSecond;
  return static_cast<u64>(bus >> divide_shift(divide_));
}

// The first moment at which ticks() has reached `ticks`.
Nanos LocalApicTimer::time_of(u128 ticks) const {
  const u128 bus = ticks << divide_shift(divide_);
  if (bus >> 90) return kNever - 1;
  return clamp_time((bus * kPerSecond + bus_hz_ - 1) / bus_hz_);
}

u128 LocalApicTimer::raw_tsc(Nanos time) const {
  return static_cast<u128>(std::max<Nanos>(time, 0)) * tsc_hz_ / kPerSecond;
}

void LocalApicTimer::stop() {
  running_ = false;
  timer_.disarm();
}

// SDM 3A 11.5.4.1: a change into or out of TSC-deadline mode disarms the timer. Between one-shot
// and periodic the count goes on.
void LocalApicTimer::set_mode(Mode mode) {
  if (mode == mode_) return;
  const bool switched = mode == Mode::kTscDeadline || mode_ == Mode::kTscDeadline;
  const u32 left = current_count();
  mode_ = mode;
  if (!switched) {
    resume(left);
    return;
  }
  stop();
  initial_ = 0;
  deadline_ = 0;
}

// The count that is left goes on at the new speed.
void LocalApicTimer::set_divide(u32 divide_configuration) {
  const u32 left = current_count();
  divide_ = divide_configuration & 0xB;
  resume(left);
}

void LocalApicTimer::resume(u32 left) {
  if (!running_) return;
  next_ = ticks(clock_.now()) + left;
  start_ = next_ - initial_;
  timer_.arm(time_of(next_));
}

// SDM 3A 11.5.4: a write starts the count, 0 stops it; ignored in TSC-deadline mode.
void LocalApicTimer::set_initial_count(u32 count) {
  if (mode_ == Mode::kTscDeadline) return;
  stop();
  initial_ = count;
  if (count == 0) return;
  running_ = true;
  start_ = ticks(clock_.now());
  next_ = start_ + count;
  timer_.arm(time_of(next_));
}

u32 LocalApicTimer::current_count() const {
  if (!running_) return 0;
  const u64 elapsed = ticks(clock_.now()) - start_;
  if (mode_ == Mode::kPeriodic) return static_cast<u32>(initial_ - elapsed % initial_);
  return elapsed >= initial_ ? 0 : static_cast<u32>(initial_ - elapsed);
}

// SDM 3A 11.5.4.1: 0 disarms; a deadline in the past interrupts at once; outside the mode a write
// is ignored.
bool LocalApicTimer::set_tsc_deadline(u64 deadline) {
  if (mode_ != Mode::kTscDeadline) return false;
  timer_.disarm();
  deadline_ = deadline;
  return check_deadline();
}

bool LocalApicTimer::set_tsc_offset(i64 offset) {
  offset_ = offset;
  return check_deadline();
}

// Clears a deadline that has passed, or arms the host's timer for it.
bool LocalApicTimer::check_deadline() {
  if (deadline_ == 0) return false;
  const u128 raw = raw_tsc(clock_.now());
  const u64 tsc = static_cast<u64>(raw) + static_cast<u64>(offset_);
  if (tsc >= deadline_) {
    deadline_ = 0;
    timer_.disarm();
    return true;
  }
  const u128 target = raw + (deadline_ - tsc);
  timer_.arm(clamp_time((target * kPerSecond + tsc_hz_ - 1) / tsc_hz_));
  return false;
}

bool LocalApicTimer::take_expiry() {
  if (mode_ == Mode::kTscDeadline) return check_deadline();
  if (!running_) return false;
  const Nanos time = clock_.now();
  const u64 now = ticks(time);
  if (now < next_) {
    timer_.arm(time_of(next_));
    return false;
  }
  if (mode_ != Mode::kPeriodic) {
    running_ = false;
    return true;
  }
  next_ = start_ + ((now - start_) / initial_ + 1) * initial_;
  timer_.arm(std::max(time_of(next_), time + kShortestPeriod));
  return true;
}

}  // namespace kite
