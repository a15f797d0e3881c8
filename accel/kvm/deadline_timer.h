// DeadlineTimer: pokes the thread that runs a vCPU when its deadline has passed.
#pragma once

#include <time.h>

#include <optional>

#include "base/result.h"
#include "base/types.h"

namespace kite::kvm {

class DeadlineTimer {
 public:
  DeadlineTimer() = default;
  ~DeadlineTimer();
  DeadlineTimer(const DeadlineTimer&) = delete;
  DeadlineTimer& operator=(const DeadlineTimer&) = delete;

  // On the vCPU's thread, before arm(): later signals go to this thread.
  Result<> use_this_thread();
  // Sends poke_signal() in `duration` from now; at once if that is not positive.
  void arm(Nanos duration);
  void disarm();

 private:
  std::optional<timer_t> timer_;
  int thread_ = 0;  // kernel's number
  bool armed_ = false;
};

}  // namespace kite::kvm
