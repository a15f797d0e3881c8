// Doorbells: those of the address space and of the ports, rung by KVM (KVM_IOEVENTFD).
#pragma once

#include <vector>

#include "memory/address_space.h"
#include "memory/port_space.h"

namespace kite::kvm {

// A doorbell that KVM does not take (it has room for a thousand devices on each bus) comes out of
// KVM_RUN and is rung by the space that has it; so does every one while it is being changed.
class Doorbells : public MemoryListener, public PortListener {
 public:
  // `any_length`: KVM_CAP_IOEVENTFD_ANY_LENGTH.
  Doorbells(int vm_fd, bool any_length) : vm_fd_(vm_fd), any_length_(any_length) {}

  void memory_changed(const FlatView& before, const FlatView& after) override;
  void doorbells_changed(const std::vector<PlacedDoorbell>& doorbells) override;
  // The virtual machine ends, and its doorbells with it: none has to be taken from it any more.
  void end() { ended_ = true; }

 private:
  using List = std::vector<PlacedDoorbell>;
  void change(List& current, const List& wanted, u32 flags);
  bool assign(const PlacedDoorbell& bell, u32 flags);

  const int vm_fd_;
  const bool any_length_;
  bool ended_ = false;
  // What KVM has; each only touched under the lock of its space.
  List memory_, ports_;
};

}  // namespace kite::kvm
