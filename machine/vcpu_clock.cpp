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
  const bool alarmed = alarm_at_ <= deadline;
  next_look_ = alarmed ? alarm_at_ : std::min(deadline, time + kPatience);
  return alarmed ? kNever : next_look_;
}

void VcpuClock::leave(Exit::Kind exit) {
  next_look_ = 0;
  run_due();
  if (exit != Exit::Kind::kDeadline) return;
  alarm_at_ = next_deadline();
  if (alarm_at_ != kNever) alarm_.arm(alarm_at_);
}

void VcpuClock::rearmed() {
  if (next_deadline() < next_look_) kick_();
}

}  // namespace kite
