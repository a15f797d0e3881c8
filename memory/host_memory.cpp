#include "memory/host_memory.h"

#include <sys/mman.h>

namespace kite {

namespace {

// Frees the contents of pages that only this mapping shows; MADV_REMOVE also punches them out of a
// file, as `discard-data=on` asks. A host without it merely keeps the contents.
void discard([[maybe_unused]] const HostMemory::Parts& parts) {
#ifdef MADV_REMOVE
  ::madvise(parts.data, parts.mapped_size, MADV_REMOVE);
#endif
}

void release(HostMemory::Parts& parts) {
  if (!parts.data) return;
  if (parts.discard_data && parts.shared && !parts.readonly) discard(parts);
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
