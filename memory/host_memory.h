// HostMemory: a mapped stretch of host memory that a guest may use as RAM or ROM.
#pragma once

#include <span>
#include <utility>

#include "base/types.h"
#include "base/unique_fd.h"

namespace kite {

// Owns the mapping and, for the back ends that have one, the descriptor behind it.
class HostMemory {
 public:
  struct Parts {
    u8* data = nullptr;
    u64 size = 0;         // bytes, as the guest sees it
    u64 mapped_size = 0;  // bytes to unmap
    UniqueFd fd;          // not valid for anonymous memory
    u64 fd_offset = 0;    // where in fd the memory starts
    bool shared = false;  // stores are visible to other mappings of fd
    bool readonly = false;
    u64 page_size = kPageSize;  // of the backing
    bool discard_data = false;  // drop the pages' contents when done
  };

  HostMemory() = default;
  explicit HostMemory(Parts parts) : parts_(std::move(parts)) {}
  HostMemory(HostMemory&& other) noexcept : parts_(std::exchange(other.parts_, {})) {}
  HostMemory& operator=(HostMemory&& other) noexcept;
  ~HostMemory();

  u8* data() const { return parts_.data; }
  u64 size() const { return parts_.size; }
  std::span<u8> span() const { return {parts_.data, parts_.size}; }
  int fd() const { return parts_.fd.get(); }
  u64 fd_offset() const { return parts_.fd_offset; }
  bool shared() const { return parts_.shared; }
  bool readonly() const { return parts_.readonly; }
  u64 page_size() const { return parts_.page_size; }

  // From now on, the contents are dropped from the file behind a shared mapping at the end.
  void set_discard_data(bool discard) { parts_.discard_data = discard; }

 private:
  Parts parts_;
};

}  // namespace kite
