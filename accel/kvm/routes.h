// EventRoutes: descriptors as interrupts (KVM_IRQFD), and the routing table that gives their
// numbers (GSIs) a meaning.
//
// KVM takes the table as a whole (KVM_SET_GSI_ROUTING): the wires of the chips, and one entry for
// each message, numbered from the first that is no wire.
#pragma once

#include <map>
#include <mutex>
#include <utility>

#include "accel/accelerator.h"

namespace kite::kvm {

class EventRoutes : public InterruptEvents {
 public:
  // `most`: KVM_CAP_IRQ_ROUTING, how many numbers there can be.
  EventRoutes(int vm_fd, unsigned most) : vm_fd_(vm_fd), most_(most) {}

  Result<> attach(unsigned number, const Notifier& event, const Notifier* resample) override;
  void detach(unsigned number, const Notifier& event) override;
  Result<unsigned> add_message(u64 address, u32 data) override;
  Result<> change_message(unsigned number, u64 address, u32 data) override;
  void remove_message(unsigned number) override;

 private:
  Result<> publish();

  const int vm_fd_;
  const unsigned most_;
  std::mutex mutex_;                                  // guards messages_
  std::map<unsigned, std::pair<u64, u32>> messages_;  // by number: address and data
};

}  // namespace kite::kvm
