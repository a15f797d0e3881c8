#include "accel/kvm/deadline_timer.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "accel/kvm/gate.h"

#ifndef sigev_notify_thread_id  // glibc before 2.38 has the field but not its name
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace kite::kvm {

DeadlineTimer::~DeadlineTimer() {
  if (timer_) timer_delete(*timer_);
}

Result<> DeadlineTimer::use_this_thread() {
  int thread = static_cast<int>(::syscall(SYS_gettid));
  if (timer_ && thread == thread_) return {};
  if (timer_) timer_delete(*timer_);
  timer_.reset();
  armed_ = false;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = poke_signal();
  event.sigev_notify_thread_id = thread;
  timer_t timer{};
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0) {
    return fail_errno(ErrorKind::kUnavailable, errno, "no timer for a vCPU's deadline");
  }
  timer_ = timer;
  thread_ = thread;
  return {};
}

void DeadlineTimer::arm(Nanos duration) {
  if (!timer_) return;
  duration = std::clamp<Nanos>(duration, 1, 3600 * kSecond);
  itimerspec when{};
  when.it_value = {.tv_sec = duration / kSecond, .tv_nsec = duration % kSecond};
  timer_settime(*timer_, 0, &when, nullptr);
  armed_ = true;
}

void DeadlineTimer::disarm() {
  if (!timer_ || !armed_) return;
  itimerspec never{};
  timer_settime(*timer_, 0, &never, nullptr);
  armed_ = false;
}

}  // namespace kite::kvm
