// DirtyLog: which pages of guest RAM were written since somebody last asked.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/types.h"

namespace kite {

// One bit per 4 KiB page of each logged block of RAM, named by its host address. Off until a client
// starts it. Writers (vCPUs, device DMA) mark; the accelerators that track writes themselves
// contribute when asked, through a source.
class DirtyLog {
 public:
  // Adds what an accelerator knows; called by collect() before the bitmap is read.
  using Source = std::function<void(DirtyLog&)>;

  void start(const u8* base, u64 size);  // begins with every page clean
  void stop();
  bool active() const { return active_.load(std::memory_order_relaxed); }

  // The source is called with the log's lock held; all it may call is mark().
  void add_source(Source source);

  // Any thread; cheap when not active. Mark after the store, or a collect() in between loses it.
  // Addresses outside the logged memory are ignored.
  void mark(const u8* host, u64 size);

  // The dirty pages as ascending page numbers from `base` of start(), and marks them clean.
  std::vector<u64> collect();

  // Changes at each start, stop and collect, so that an engine with cached write permission knows
  // to drop it.
  u64 epoch() const { return epoch_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> active_{false};
  std::atomic<u64> epoch_{0};
  std::mutex mutex_;  // guards sources_, start, stop and collect against each other
  std::vector<Source> sources_;
  // Guards what follows: shared by those who mark, exclusive in start and stop.
  std::shared_mutex bitmap_mutex_;
  const u8* base_ = nullptr;
  u64 pages_ = 0;
  std::unique_ptr<std::atomic<u64>[]> bitmap_;
};

}  // namespace kite
