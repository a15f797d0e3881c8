// VcpuClock: the machine's time, with timers that a vCPU's own thread waits for: those of its local
// APIC.
//
// Purpose. A guest arms that timer at every wake-up, most often just before HLT. On the machine's
// clock this would wake the I/O loop, which would wait in the vCPU's place and then wake the vCPU:
// seven system calls for each interrupt. A thread that sleeps in HLT can wait by itself, in one.
//
// While the guest runs. Vcpu::run comes back at a deadline, but an engine may have to look at the
// host's clock for that again and again. So the deadline is never further than kPatience away: a
// guest that has not halted by then is *busy*, and from there on, until it does halt, the machine's
// clock keeps the time ("alarm") and kicks the vCPU. Timers run at the latest when run() has come
// back.
//
// Timers are armed on the vCPU's thread, or while it is parked; disarmed on any.
#pragma once

#include <functional>

#include "accel/accelerator.h"
#include "base/clock.h"

namespace kite {

class VcpuClock final : public Clock {
 public:
  // Longer than Linux takes from arming the timer to HLT, in the interpreter and on a busy host.
  static constexpr Nanos kPatience = kMillisecond;

  // `kick` makes Vcpu::run come back; called on the vCPU's thread, under the lock of whoever arms a
  // timer, and on the machine's clock's.
  VcpuClock(Clock& machine, std::function<void()> kick);

  Nanos now() const override { return machine_.now(); }

  // On the vCPU's thread, around Vcpu::run. The deadline to call it with; then how it came back.
  Nanos enter();
  void leave(Exit::Kind exit);
  // No more kicks of the machine's clock. On its thread.
  void silence() { alarm_.disarm(); }

 private:
  void rearmed();
  void set_alarm(Nanos deadline);

  Clock& machine_;
  const std::function<void()> kick_;
  // The vCPU's thread's, and whose who has parked it.
  Nanos next_look_ = 0;      // run() comes back by then; 0: it is not being run
  Nanos alarm_at_ = kNever;  // alarm_ is armed for then, or has rung
  bool busy_ = false;
  Timer alarm_;  // of the machine's clock
};

}  // namespace kite
