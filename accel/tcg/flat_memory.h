// FlatMemory: the guest's RAM, as far as translated code may reach it by a FlatTable.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "base/types.h"

namespace kite {
class FlatView;
}

namespace kite::tcg {

// Each stretch of RAM is added once, when it is first seen, and stays: nothing can come to lie at a
// multiple of 8 TiB from it as long as this lives.
class FlatMemory {
 public:
  FlatMemory();
  ~FlatMemory();
  FlatMemory(const FlatMemory&) = delete;

  // From one thread at a time, before a vCPU can see the view.
  void add(const FlatView& view);

  // Whether all that has been added is reached by them. From add()'s thread.
  bool is_complete() const { return is_complete_; }
  // Any thread.
  bool contains(const u8* host) const {
    const unsigned count = count_.load(std::memory_order_acquire);
    for (unsigned i = 0; i < count; ++i)
      if (host >= ranges_[i].start && host < ranges_[i].end) return true;
    return false;
  }

 private:
  static constexpr unsigned kMost = 16;  // stretches of RAM; further ones are reached slowly
  struct Range {
    const u8* start;
    const u8* end;
  };
  struct Guards;

  std::array<Range, kMost> ranges_ = {};
  std::atomic<unsigned> count_{0};
  bool is_complete_ = true;
  std::unique_ptr<Guards> guards_;
};

}  // namespace kite::tcg
