// DirtyLog: which pages of guest RAM were written since somebody last asked.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/types.h"

namespace kite {

class DirtyLog;

// An accelerator's side: whose stores the log does not see by itself. Told with the log's lock
// held, so that all it may call of the log is mark().
class DirtySource {
 public:
  virtual ~DirtySource() = default;
  // The log was switched on. From the return on, every store of the guest is either marked by who
  // makes it or known to collect_dirty().
  virtual void dirty_log_started() = 0;
  virtual void dirty_log_stopped() = 0;
  // Marks what the source has seen written since it was last asked, and watches for the next store
  // to each of those pages.
  virtual void collect_dirty(DirtyLog& log) = 0;
};

// One bit per 4 KiB page of the logged block of RAM, named by its host address. Off until a client
// starts it. Writers (vCPUs, device DMA) mark; the accelerators that track writes themselves
// contribute when asked, as sources.
class DirtyLog {
 public:
  // Begins with every page clean; a log that is active starts anew. Not on a vCPU's thread: waits
  // for vCPUs to notice.
  void start(const u8* base, u64 size);
  void stop();
  bool active() const { return active_.load(std::memory_order_relaxed); }

  // A source that joins an active log is told that it has started; one that leaves is asked once
  // more for what it knows.
  void add_source(DirtySource& source);
  void remove_source(DirtySource& source);

  // Any thread; cheap when not active. Mark after the store, or a collect() in between loses it.
  // Addresses outside the logged memory are ignored.
  void mark(const u8* host, u64 size);

  // The dirty pages as ascending page numbers from `base` of start(), and marks them clean. What is
  // written until it returns may be part of the answer or of the next one. Not on a vCPU's thread.
  std::vector<u64> collect();

  // Changes at each start, stop and collect, so that an engine with cached write permission knows
  // to drop it.
  u64 epoch() const { return epoch_.load(std::memory_order_seq_cst); }

 private:
  std::atomic<bool> active_{false};
  std::atomic<u64> epoch_{0};
  std::mutex mutex_;  // guards sources_, start, stop and collect against each other
  std::vector<DirtySource*> sources_;
  // Guards what follows: shared by those who mark, exclusive in start and stop.
  std::shared_mutex bitmap_mutex_;
  const u8* base_ = nullptr;
  u64 pages_ = 0;
  std::unique_ptr<std::atomic<u64>[]> bitmap_;
};

}  // namespace kite
