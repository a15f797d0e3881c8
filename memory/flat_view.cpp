#include "memory/flat_view.h"

#include <algorithm>

namespace kite {

namespace {

// The first range that starts after `address`.
auto first_after(const std::vector<FlatRange>& ranges, Gpa address) {
  return std::upper_bound(ranges.begin(), ranges.end(), address,
                          [](Gpa value, const FlatRange& range) { return value < range.start; });
}

// The window's visible size: cut at the end of the region and of the 64-bit space.
u64 usable_size(const Window& window) {
  if (!window.region || window.offset >= window.region->size()) return 0;
  u64 size = std::min(window.size, window.region->size() - window.offset);
  // 0 - start is the room up to 2^64, except that it overflows for start 0, where any size fits.
  if (window.start != 0) size = std::min(size, u64{0} - window.start);
  return size;
}

FlatRange part(const Window& window, Gpa first, Gpa last) {
  return {first, last - first + 1, window.region, window.offset + (first - window.start)};
}

// Adds to `visible` what `window` shows between the ranges that are already there.
std::vector<FlatRange> fill_gaps(const std::vector<FlatRange>& visible, const Window& window,
                                 u64 size) {
  std::vector<FlatRange> result;
  result.reserve(visible.size() + 2);
  Gpa next = window.start;
  const Gpa last = window.start + size - 1;
  bool done = false;  // `next` would be beyond `last`, perhaps beyond 2^64
  for (const FlatRange& range : visible) {
    if (!done && range.start > next) {
      result.push_back(part(window, next, std::min(last, range.start - 1)));
      done = last < range.start;
    }
    if (!done && range.last() >= next) {
      done = range.last() >= last;
      next = range.last() + 1;
    }
    result.push_back(range);
  }
  if (!done) result.push_back(part(window, next, last));
  return result;
}

bool continues(const FlatRange& before, const FlatRange& after) {
  return before.last() + 1 == after.start && before.region == after.region &&
         before.offset + before.size == after.offset;
}

std::vector<FlatRange> join(std::vector<FlatRange> ranges) {
  std::vector<FlatRange> result;
  result.reserve(ranges.size());
  for (FlatRange& range : ranges) {
    if (!result.empty() && continues(result.back(), range))
      result.back().size += range.size;
    else
      result.push_back(std::move(range));
  }
  return result;
}

}  // namespace

const FlatRange* FlatView::find(Gpa address) const {
  auto after = first_after(ranges_, address);
  if (after == ranges_.begin()) return nullptr;
  const FlatRange& range = *std::prev(after);
  return range.contains(address) ? &range : nullptr;
}

u64 FlatView::gap(Gpa address) const {
  auto after = first_after(ranges_, address);
  if (after != ranges_.end()) return after->start - address;
  return address == 0 ? ~u64{0} : u64{0} - address;
}

FlatView flatten(std::vector<Window> windows) {
  std::stable_sort(windows.begin(), windows.end(),
                   [](const Window& a, const Window& b) { return a.priority < b.priority; });
  std::vector<FlatRange> visible;
  for (auto window = windows.rbegin(); window != windows.rend(); ++window)
    if (u64 size = usable_size(*window); size != 0) visible = fill_gaps(visible, *window, size);
  return FlatView(join(std::move(visible)));
}

}  // namespace kite
