// EventInterrupts: interrupts that come by descriptor, from a thread or process that is not Kite's
// own: a device in another process, a host's timer.
#pragma once

#include <memory>

#include "base/notifier.h"
#include "base/result.h"
#include "base/types.h"

namespace kite {

// What a device is given that has such interrupts; where they are served, by the host's kernel or
// by Kite's I/O loop, is the machine's business. Any thread may call. An event belongs to one
// connection at a time. Wires have the numbers of the ISA interrupts 0 to 15 and of the I/O APIC's
// inputs 16 to 23; one that is connected here is driven by nobody else.
class EventInterrupts {
 public:
  using Id = u64;
  // An MSI: a write of `data` to `address` (SDM 3A 11.11). Other addresses reach nobody.
  struct Message {
    u64 address = 0;
    u32 data = 0;
    bool operator==(const Message&) const = default;
  };

  virtual ~EventInterrupts() = default;

  // Each signal is a rising edge. Signals that come faster than they are served are one.
  virtual Result<Id> connect_edge(unsigned wire, std::shared_ptr<Notifier> event) = 0;
  // A signal raises the wire. The guest's end of interrupt lowers it and signals `resample`; a
  // device that wants an interrupt still, then signals again. Several may share a wire. `resample`
  // may come without need.
  virtual Result<Id> connect_level(unsigned wire, std::shared_ptr<Notifier> event,
                                   std::shared_ptr<Notifier> resample) = 0;
  virtual Result<Id> connect_message(const Message& message, std::shared_ptr<Notifier> event) = 0;

  // Signals from the return on send the new message.
  virtual Result<> change_message(Id id, const Message& message) = 0;
  // Signals that come while masked wait, as one.
  virtual Result<> set_masked(Id id, bool masked) = 0;
  // From the return on no signal has an effect.
  virtual void disconnect(Id id) = 0;
};

}  // namespace kite
