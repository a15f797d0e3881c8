#include "memory/host_memory.h"

#include <sys/mman.h>

#include "memory/host_features.h"

namespace kite {

namespace {

void release(HostMemory::Parts& parts) {
  if (!parts.data) return;
  if (parts.discard_data && parts.shared && !parts.readonly)
    host::discard(parts.data, parts.mapped_size);
  ::munmap(parts.data, parts.mapped_size);
}

}  // namespace

HostMemory& HostMemory::operator=(HostMemory&& other) noexcept {
  if (this != &other) {
    release(parts_);
    parts_ = std::exchange(other.parts_, {});
  }
  return *this;
}

HostMemory::~HostMemory() {
  release(parts_);
}

}  // namespace kite
