// PresentMemory: has the host provide memory that is filled from its start a piece at a time. As it
// comes by itself, with a fault for each page, it costs several times as much.
#pragma once

#include <algorithm>

#include "base/bits.h"
#include "memory/host_features.h"

namespace kite::tcg {

class PresentMemory {
 public:
  PresentMemory(void* start, std::size_t size)
      : start_(align_up(reinterpret_cast<u64>(start), kPageSize)),
        size_(align_down(reinterpret_cast<u64>(start) + size, kPageSize) - start_) {}

  // Before any of the first `bytes` is written to.
  void reach(std::size_t bytes) {
    while (bytes > present_ && present_ < size_) {
      const u64 piece = std::min(kPiece, size_ - present_);
      host::populate(reinterpret_cast<u8*>(start_ + present_), piece, true);
      present_ += piece;
    }
  }

 private:
  static constexpr u64 kPiece = 64 * KiB;
  u64 start_, size_, present_ = 0;
};

}  // namespace kite::tcg
