// LocalApicTimer: the local APIC's timer: one-shot, periodic and TSC-deadline (SDM 3A 11.5.4).
#pragma once

#include "base/archive.h"
#include "base/clock.h"

namespace kite {

// Part of LocalApic, which guards it with its lock and tells it of the LVT's mode.
class LocalApicTimer {
 public:
  enum class Mode : u8 { kOneShot = 0, kPeriodic = 1, kTscDeadline = 2, kReserved = 3 };

  // `expired` runs on the clock's thread; it takes the lock and calls take_expiry().
  LocalApicTimer(Clock& clock, u64 bus_hz, u64 tsc_hz, std::function<void()> expired);

  void reset();
  void transfer(Archive& archive);

  // Goes on where another implementation stopped: `current` of `initial` is left; 0 of a one-shot
  // timer: it has run out.
  void set_state(Mode mode, u32 divide_configuration, u32 initial, u32 current, u64 deadline);

  void set_mode(Mode mode);
  void set_divide(u32 divide_configuration);
  void set_initial_count(u32 count);
  u32 divide_configuration() const { return divide_; }
  u32 initial_count() const { return initial_; }
  u32 current_count() const;

  // IA32_TSC_DEADLINE. Returns true when the deadline has already passed.
  [[nodiscard]] bool set_tsc_deadline(u64 deadline);
  u64 tsc_deadline() const { return deadline_; }
  [[nodiscard]] bool set_tsc_offset(i64 offset);
  void set_tsc_frequency(u64 hz) { tsc_hz_ = hz != 0 ? hz : 1; }

  // Has the timer run out? Missed periods count once. Arms the next period.
  [[nodiscard]] bool take_expiry();

 private:
  // Periods shorter than this are counted exactly but interrupt only this often, lest a guest keep
  // the host's timer thread busy for ever.
  static constexpr Nanos kShortestPeriod = 20 * kMicrosecond;

  u64 ticks(Nanos time) const;  // of the divided bus clock
  Nanos time_of(u128 ticks) const;
  u128 raw_tsc(Nanos time) const;  // without the offset
  bool check_deadline();
  void stop();
  void resume(u32 left);

  Clock& clock_;
  const u64 bus_hz_;
  u64 tsc_hz_;
  Timer timer_;
  Mode mode_ = Mode::kOneShot;
  u32 divide_ = 0;  // the register
  u32 initial_ = 0;
  u64 start_ = 0;  // the tick at which the count began
  u64 next_ = 0;   // the tick of the next expiry, if running_
  bool running_ = false;
  u64 deadline_ = 0;  // 0: not armed
  i64 offset_ = 0;
};

}  // namespace kite
