#include "accel/tcg/flat_memory.h"

#include <vector>

#include "accel/tcg/translator/alias_guard.h"
#include "base/log.h"
#include "memory/flat_view.h"
#include "memory/host_memory.h"

namespace kite::tcg {

struct FlatMemory::Guards {
  std::vector<AliasGuard> all;
};

FlatMemory::FlatMemory() : guards_(std::make_unique<Guards>()) {}
FlatMemory::~FlatMemory() = default;

void FlatMemory::add(const FlatView& view) {
  for (const FlatRange& range : view.ranges()) {
    if (range.region->kind() != Region::Kind::kRam) continue;
    const HostMemory& memory = *range.region->memory();
    if (contains(memory.data())) continue;
    const unsigned count = count_.load(std::memory_order_relaxed);
    is_complete_ &= count < kMost;
    if (count == kMost) continue;
    auto guard = AliasGuard::reserve(memory.data(), memory.size());
    is_complete_ &= guard.has_value();
    if (!guard) {
      log::debug("tcg: memory at {} is reached the slow way: {}",
                 static_cast<const void*>(memory.data()), guard.error().message);
      continue;
    }
    guards_->all.push_back(std::move(*guard));
    ranges_[count] = {memory.data(), memory.data() + memory.size()};
    count_.store(count + 1, std::memory_order_release);
  }
}

}  // namespace kite::tcg
