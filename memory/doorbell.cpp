#include "memory/doorbell.h"

#include <algorithm>

namespace kite {

std::vector<PlacedDoorbell> in_order(std::vector<PlacedDoorbell> doorbells) {
  std::ranges::stable_sort(doorbells, {}, &PlacedDoorbell::address);
  std::vector<PlacedDoorbell> kept;
  for (PlacedDoorbell& next : doorbells) {
    const bool taken = std::any_of(kept.rbegin(), kept.rend(), [&](const PlacedDoorbell& other) {
      return other.address == next.address && other.doorbell.collides(next.doorbell);
    });
    if (!taken) kept.push_back(std::move(next));
  }
  return kept;
}

bool ring(std::span<const PlacedDoorbell> doorbells, u64 address, unsigned size, u64 value) {
  auto at = std::ranges::lower_bound(doorbells, address, {}, &PlacedDoorbell::address);
  for (; at != doorbells.end() && at->address == address; ++at) {
    if (!at->doorbell.rung_by(size, value)) continue;
    at->doorbell.notifier->signal();
    return true;
  }
  return false;
}

}  // namespace kite
