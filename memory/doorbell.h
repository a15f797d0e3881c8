// Doorbell: a store that tells a notifier something, instead of a chip's handler.
//
// A guest that tells a device "there is work" needs no answer, so nothing has to run on the vCPU's
// thread: the address space, the port space, or KVM itself (KVM_IOEVENTFD, without KVM_RUN coming
// out) signals a descriptor, and whoever waits for it does the work. A doorbell never changes what
// the guest sees.
//
// Stores that a doorbell does not match reach the handler as ever. A doorbell that was taken away
// may ring once more if a vCPU was about to ring it; the notifier lives as long as that can happen.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/notifier.h"
#include "base/types.h"

namespace kite {

using DoorbellId = u64;

struct Doorbell {
  u64 offset = 0;                      // in the region; or a port
  unsigned size = 0;                   // 1, 2, 4 or 8 bytes (ports: 1, 2 or 4); 0: any
  std::optional<u64> value = {};       // only stores of this; not with size 0
  std::shared_ptr<Notifier> notifier;  // not null

  // Does a store of `size` bytes at the doorbell's address ring it?
  bool rung_by(unsigned stored_size, u64 stored_value) const {
    return (size == 0 || size == stored_size) && (!value || *value == stored_value);
  }
  // Is there a store that would ring both? Then the one that was added first has it.
  bool collides(const Doorbell& other) const {
    return size == 0 || other.size == 0 ||
           (size == other.size && (!value || !other.value || *value == *other.value));
  }
  bool operator==(const Doorbell&) const = default;
};

// Where a doorbell is at the moment.
struct PlacedDoorbell {
  u64 address = 0;  // guest physical, or a port
  Doorbell doorbell;
  bool operator==(const PlacedDoorbell&) const = default;
};

// Ascending by address; doorbells at one address in the order they were added, those that collide
// with an earlier one left out.
std::vector<PlacedDoorbell> in_order(std::vector<PlacedDoorbell> doorbells);

// Rings the one that matches, if any. `doorbells` as from in_order().
bool ring(std::span<const PlacedDoorbell> doorbells, u64 address, unsigned size, u64 value);

}  // namespace kite
