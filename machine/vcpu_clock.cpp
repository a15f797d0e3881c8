#include "machine/vcpu_clock.h"

#include <algorithm>

namespace kite {

VcpuClock::VcpuClock(Clock& machine, std::function<void()> kick)
    : machine_(machine), kick_(std::move(kick)), alarm_(machine, kick_) {
  on_rearm([this] { rearmed(); });
}

Nanos VcpuClock::enter() {
  const Nanos time = now(), deadline = next_deadline();
  if (alarm_at_ <= time) alarm_at_ = kNever;
  if (busy_ && deadline < alarm_at_) set_alarm(deadline);
  const bool alarmed = alarm_at_ <= deadline;
  next_look_ = alarmed ? alarm_at_ : std::min(deadline, time + kPatience);
  return alarmed ? kNever : next_look_;
}

void VcpuClock::leave(Exit::Kind exit) {
  next_look_ = 0;
  run_due();
  if (exit == Exit::Kind::kHalted) busy_ = false;
  if (exit == Exit::Kind::kDeadline) busy_ = true;
}

void VcpuClock::set_alarm(Nanos deadline) {
  alarm_at_ = deadline;
  alarm_.arm(deadline);
}

void VcpuClock::rearmed() {
  const Nanos deadline = next_deadline();
  if (deadline >= next_look_) return;
  if (busy_)
    set_alarm(next_look_ = deadline);
  else
    kick_();
}

}  // namespace kite
