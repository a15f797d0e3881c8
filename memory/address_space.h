// AddressSpace: the guest's physical addresses. Windows onto Regions, edited in transactions,
// published as FlatViews.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.h"
#include "memory/flat_view.h"

namespace kite {

class DirtyLog;

using WindowId = u64;

// Told of every new view, on the thread that ended the edit, before readers see it and while no
// other edit can run.
class MemoryListener {
 public:
  virtual ~MemoryListener() = default;
  virtual void memory_changed(const FlatView& before, const FlatView& after) = 0;
  // The same, once readers see it: who looks now finds the new view.
  virtual void memory_published() {}
};

// Told of every store to RAM through the address space, after it, on the thread that made it.
class RamWriteListener {
 public:
  virtual ~RamWriteListener() = default;
  virtual void ram_written(Gpa address, u64 size) = 0;
};

class AddressSpace {
 public:
  AddressSpace();
  ~AddressSpace();

  // A transaction: changes collect until it is destroyed, then one new FlatView is published (none
  // if nothing visible changed). Edits from several threads run one after the other.
  class Edit {
   public:
    explicit Edit(AddressSpace& space);
    ~Edit();
    Edit(const Edit&) = delete;
    Edit& operator=(const Edit&) = delete;

    WindowId map(Window window);
    void unmap(WindowId id);
    // Keeps the window's place among those of its priority. Ids that are not mapped are ignored.
    void move(WindowId id, Gpa start);

    // Matching stores to `region` at doorbell.offset, wherever the region is visible, ring. Only of
    // a region with a handler: MMIO, or ROM whose writes go to one.
    DoorbellId add_doorbell(std::shared_ptr<const Region> region, Doorbell doorbell);
    void remove_doorbell(DoorbellId id);

   private:
    AddressSpace& space_;
    std::unique_lock<std::mutex> lock_;
  };

  // A listener hears (empty view, current view) when it joins and (current view, empty view) when
  // it leaves.
  void add_listener(MemoryListener& listener);
  void remove_listener(MemoryListener& listener);
  // At most one, or null; before and after all traffic.
  void set_write_listener(RamWriteListener* listener) { write_listener_.store(listener); }

  // The current view. Holding the pointer keeps the view, not the memory behind it.
  std::shared_ptr<const FlatView> view() const;
  // Changes whenever view() does; a cached view is good while this is unchanged.
  u64 generation() const { return generation_.load(std::memory_order_acquire); }

  // Access as a bus master would: RAM is copied, registers are called in pieces of 1, 2, 4 or 8
  // bytes, each the largest that is naturally aligned in the region. Nothing mapped: reads are all
  // ones, writes vanish, one debug line. Never fails; an access past 2^64 goes on at 0.
  void read(Gpa address, std::span<u8> to);
  void write(Gpa address, std::span<const u8> from);
  u64 read_value(Gpa address, unsigned size);  // 1, 2, 4 or 8 bytes
  void write_value(Gpa address, u64 value, unsigned size);

  // Host memory behind [address, address + size), if all of it is one piece of RAM (for_write:
  // writable RAM, noted in the dirty log now, so for stores before the next collect()); else empty.
  // Not for code that a vCPU may be executing: no RamWriteListener hears of what is stored there.
  std::span<u8> ram(Gpa address, u64 size, bool for_write);

  DirtyLog& dirty_log() { return *dirty_log_; }

 private:
  struct RegionDoorbell {
    DoorbellId id;
    std::shared_ptr<const Region> region;
    Doorbell doorbell;
  };
  void publish();
  std::vector<PlacedDoorbell> place_doorbells(const FlatView& view) const;
  const FlatView& current() const;
  u64 read_piece(const FlatRange& range, Gpa address, std::span<u8> to);
  u64 write_piece(const FlatView& view, const FlatRange& range, Gpa address,
                  std::span<const u8> from);
  void note_ram_written(Gpa address, const u8* host, u64 size);

  std::mutex edit_mutex_;  // guards what follows, up to next_id_; held for a whole Edit
  std::vector<std::pair<WindowId, Window>> windows_;
  std::vector<RegionDoorbell> doorbells_;
  std::vector<MemoryListener*> listeners_;
  u64 next_id_ = 1;  // of windows and doorbells
  std::atomic<RamWriteListener*> write_listener_{nullptr};
  mutable std::mutex view_mutex_;  // guards view_
  std::shared_ptr<const FlatView> view_;
  std::atomic<u64> generation_;  // no two views in the process share one
  std::unique_ptr<DirtyLog> dirty_log_;
};

// A reader's own hold on the current view: one atomic load when nothing changed. One per thread.
class ViewCache {
 public:
  explicit ViewCache(AddressSpace& space) : space_(space) {}
  const FlatView& view() {
    if (generation_ != space_.generation()) refresh();
    return *view_;
  }

 private:
  void refresh();
  AddressSpace& space_;
  std::shared_ptr<const FlatView> view_;
  u64 generation_ = 0;
};

}  // namespace kite
