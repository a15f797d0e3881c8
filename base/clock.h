// Clock: the only source of time, and the timers that wait for it.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "base/types.h"

namespace kite {

class Timer;

// A Clock counts nanoseconds from its own start. A timer's callback runs on the thread that calls
// run_due() (the I/O loop), never with the clock's lock held; a chip may therefore arm a timer
// while it holds its own lock, and its callback takes that lock and looks again whether the timer
// is still wanted.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual Nanos now() const = 0;

  // The earliest armed deadline, or kNever.
  Nanos next_deadline() const;

  // Runs every timer whose deadline is not after now(), earliest first.
  void run_due();

  // Called, without the lock, whenever the earliest deadline may have moved nearer.
  void on_rearm(std::function<void()> callback) { on_rearm_ = std::move(callback); }

 protected:
  // Runs timers due by `until`; `before` is told each deadline first.
  void run_until(Nanos until, const std::function<void(Nanos)>& before);

 private:
  friend class Timer;
  void arm(Timer& timer, Nanos deadline);
  void disarm(Timer& timer);
  Timer* take_due(Nanos until, Nanos& deadline);

  mutable std::mutex mutex_;   // guards armed_ and every Timer::deadline_
  std::vector<Timer*> armed_;  // few: one or two per chip
  std::mutex running_;         // held while a callback runs, so that ~Timer can wait for it
  std::function<void()> on_rearm_;
};

// One deadline. Owned by the chip that waits; must not be destroyed from its own callback.
class Timer {
 public:
  Timer(Clock& clock, std::function<void()> callback)
      : clock_(clock), callback_(std::move(callback)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Calls back once when the clock reaches `deadline`; replaces an earlier deadline. A past
  // deadline is due at once.
  void arm(Nanos deadline) { clock_.arm(*this, deadline); }
  void disarm() { clock_.disarm(*this); }
  Clock& clock() const { return clock_; }

 private:
  friend class Clock;
  Clock& clock_;
  std::function<void()> callback_;
  Nanos deadline_ = kNever;
};

// The host's monotonic time, from the moment of construction.
class RealClock : public Clock {
 public:
  RealClock();
  Nanos now() const override;

 private:
  Nanos start_;
};

// Time that moves only when told to: tests.
class ManualClock : public Clock {
 public:
  Nanos now() const override { return now_; }
  // Moves time forward and runs the timers on the way, each at its own deadline.
  void advance(Nanos duration);

 private:
  Nanos now_ = 0;
};

}  // namespace kite
