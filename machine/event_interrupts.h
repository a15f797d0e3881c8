// MachineEventInterrupts: descriptors as interrupts, by the accelerator's own controllers where it
// has them, else by the I/O loop.
//
// The loop watches each event that is connected and not masked, and drives the wire or sends the
// message when it is signalled. With an accelerator's controllers (use()), nothing is watched: the
// events are attached there. Both sides behave alike, so connections move between them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "accel/accelerator.h"
#include "base/event_loop.h"
#include "devices/irq/event_interrupts.h"

namespace kite {

class MachineEventInterrupts : public EventInterrupts {
 public:
  // The controllers that the loop serves. Called with this object's lock held: they never call back
  // into it from within, and call ended() without their own locks.
  struct Controllers {
    std::function<void(unsigned wire, bool level)> set_wire;
    std::function<void(u64 address, u32 data)> send_message;
  };
  // `loop` outlives this.
  MachineEventInterrupts(EventLoop& loop, Controllers controllers);
  ~MachineEventInterrupts() override;

  Result<Id> connect_edge(unsigned wire, std::shared_ptr<Notifier> event) override;
  Result<Id> connect_level(unsigned wire, std::shared_ptr<Notifier> event,
                           std::shared_ptr<Notifier> resample) override;
  Result<Id> connect_message(const Message& message, std::shared_ptr<Notifier> event) override;
  Result<> change_message(Id id, const Message& message) override;
  Result<> set_masked(Id id, bool masked) override;
  void disconnect(Id id) override;

  // The guest has ended an interrupt of this wire, at the controllers that the loop serves.
  void ended(unsigned wire);

  // Moves every connection to `kernel`, or with null back to the loop. While no vCPU runs; `kernel`
  // stays until the next call. A device with a level is asked (resample) what it wants. On an error
  // everything is with the loop.
  Result<> use(InterruptEvents* kernel);

 private:
  struct Connection;
  struct State;
  Result<Id> connect(Connection connection);
  std::shared_ptr<State> state_;  // shared with what waits in the loop
};

}  // namespace kite
