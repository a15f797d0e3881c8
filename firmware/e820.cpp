#include "firmware/e820.h"

#include <algorithm>

#include "firmware/layout.h"

namespace kite {

namespace {

// Everything that begins or ends somewhere, in order; between two neighbours the map is uniform.
std::vector<Gpa> boundaries(std::span<const E820Entry> entries) {
  std::vector<Gpa> points;
  for (const auto& entry : entries) {
    points.push_back(entry.start);
    points.push_back(entry.start + entry.size);
  }
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
  return points;
}

void append(std::vector<E820Entry>& map, const E820Entry& entry) {
  if (!map.empty() && map.back().type == entry.type &&
      map.back().start + map.back().size == entry.start) {
    map.back().size += entry.size;
    return;
  }
  map.push_back(entry);
}

// Later entries win.
std::vector<E820Entry> flatten(std::span<const E820Entry> entries) {
  const auto points = boundaries(entries);
  std::vector<E820Entry> map;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const auto covers = [&](const E820Entry& entry) {
      return points[i] - entry.start < entry.size;
    };
    const auto top = std::find_if(entries.rbegin(), entries.rend(), covers);
    if (top != entries.rend()) append(map, {points[i], points[i + 1] - points[i], top->type});
  }
  return map;
}

}  // namespace

std::vector<RamWindow> pc_ram_windows(u64 size, Gpa hole_start) {
  constexpr Gpa kHoleEnd = 4 * GiB;
  if (size <= hole_start) return {{0, size}};
  return {{0, hole_start}, {kHoleEnd, size - hole_start}};
}

std::vector<E820Entry> e820_map(std::span<const RamWindow> ram, std::span<const E820Entry> taken) {
  std::vector<E820Entry> entries;
  for (const auto& window : ram)
    if (window.size != 0) entries.push_back({window.start, window.size, E820Type::kRam});
  // Video memory and option ROMs are no RAM even where RAM lies behind them.
  entries.push_back({layout::kEbda, layout::kLowHoleEnd - layout::kEbda, E820Type::kReserved});
  entries.insert(entries.end(), taken.begin(), taken.end());
  return flatten(entries);
}

u64 ram_size(std::span<const E820Entry> map) {
  u64 size = 0;
  for (const auto& entry : map)
    if (entry.type == E820Type::kRam) size += entry.size;
  return size;
}

}  // namespace kite
