// FlatView: what is visible at each guest physical address, as a sorted list of ranges that do not
// overlap.
#pragma once

#include <memory>
#include <vector>

#include "base/types.h"
#include "memory/doorbell.h"
#include "memory/region.h"

namespace kite {

// start + size may be 2^64, which u64 cannot hold: compare last() instead.
struct FlatRange {
  Gpa start = 0;
  u64 size = 0;  // bytes, not 0
  std::shared_ptr<const Region> region;
  u64 offset = 0;  // of `start` in the region

  Gpa last() const { return start + size - 1; }
  bool contains(Gpa address) const { return address - start < size; }
  bool operator==(const FlatRange&) const = default;
};

// Immutable once published.
class FlatView {
 public:
  FlatView() = default;
  explicit FlatView(std::vector<FlatRange> ranges, std::vector<PlacedDoorbell> doorbells = {})
      : ranges_(std::move(ranges)), doorbells_(std::move(doorbells)) {}

  const std::vector<FlatRange>& ranges() const { return ranges_; }
  // Those that can be rung, as from in_order(). A region that is visible twice has them twice.
  const std::vector<PlacedDoorbell>& doorbells() const { return doorbells_; }

  // The range that contains `address`, or null where nothing is mapped. O(log ranges).
  const FlatRange* find(Gpa address) const;

  // The bytes from `address`, where nothing is mapped, to the next range or the end of the space.
  u64 gap(Gpa address) const;

 private:
  std::vector<FlatRange> ranges_;  // ascending
  std::vector<PlacedDoorbell> doorbells_;
};

// Where windows overlap, the higher priority is visible, and among equals the one mapped later.
struct Window {
  Gpa start = 0;
  u64 size = 0;  // bytes, not 0, at most the region's size less `offset`
  std::shared_ptr<const Region> region;
  u64 offset = 0;  // in the region
  int priority = 0;
};

// What is visible of `windows`, which stand in the order they were mapped. Pieces that continue
// each other are one range. A window is cut at the end of its region and of the 64-bit space: where
// a guest may move one, it does not wrap around.
FlatView flatten(std::vector<Window> windows);

}  // namespace kite
