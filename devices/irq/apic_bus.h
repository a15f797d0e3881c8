// ApicBus: brings interrupt messages (I/O APIC, IPIs, MSIs) to the local APICs they are meant for.
#pragma once

#include <atomic>
#include <vector>

#include "devices/irq/interrupt_message.h"
#include "memory/region.h"

namespace kite {

class LocalApic;

// As an IoHandler it is what a bus master finds at FEE00000h: writes are MSIs, reads are all ones.
// (A processor finds its own local APIC there; the machine tells the two apart.) Holds no lock: the
// list is complete before the first message.
class ApicBus : public InterruptBus, public IoHandler {
 public:
  // Before any vCPU runs; `apic` outlives the traffic.
  void add(LocalApic& apic);

  bool deliver(const InterruptMessage& message) override;

  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, u64 value, unsigned size) override;

 private:
  bool deliver_to_lowest(const InterruptMessage& message);

  std::vector<LocalApic*> apics_;
  // Where the search for the lowest priority starts, so that equals take turns.
  std::atomic<std::size_t> turn_{0};
};

}  // namespace kite
