// FlatView: what is visible at each guest physical address, as a sorted list of ranges that do not
// overlap.
#pragma once

#include <memory>
#include <vector>

#include "base/types.h"
#include "memory/region.h"

namespace kite {

struct FlatRange {
  Gpa start = 0;
  u64 size =
      0;  // bytes; start + size may be 2^64 only by not existing: the last byte is start + size - 1
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
  explicit FlatView(std::vector<FlatRange> ranges) : ranges_(std::move(ranges)) {}

  const std::vector<FlatRange>& ranges() const { return ranges_; }

  // The range that contains `address`, or null where nothing is mapped. O(log ranges).
  const FlatRange* find(Gpa address) const;

 private:
  std::vector<FlatRange> ranges_;  // ascending
};

}  // namespace kite
