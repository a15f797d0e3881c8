// Slots: the address space's RAM and ROM as KVM's memory slots.
//
// A slot shows whole pages, so a range is cut to the pages it covers fully; what is left over, and
// every register, has no slot, and an access to it comes out of KVM_RUN and is served by the
// address space. A new FlatView is turned into the slots it wants, and only the difference to those
// that exist goes to KVM: slots that stay are not touched, since KVM throws away the guest's
// translations of every slot that changes. (It keeps them when only KVM_MEM_LOG_DIRTY_PAGES
// changes, and the memory is there throughout.)
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "accel/kvm/dirty.h"
#include "accel/kvm/gate.h"
#include "accel/kvm/slot.h"
#include "base/result.h"
#include "memory/address_space.h"
#include "memory/dirty_log.h"

namespace kite::kvm {

// The slots that `view` wants, ascending. ROM needs read-only slots; without them it gets none.
std::vector<SlotContent> slots_for(const FlatView& view, bool readonly_possible);

// Lock order: the address space's edit, or the dirty log's -> this -> the gate's.
class Slots : public MemoryListener, public DirtySource {
 public:
  struct Facts {
    int vm_fd;
    u32 count;  // how many slots KVM has
    bool readonly_possible;
  };
  Slots(const Facts& facts, Gate& gate, DirtyLog& log, std::unique_ptr<DirtyTracker> tracker);

  void memory_changed(const FlatView& before, const FlatView& after) override;

  void dirty_log_started() override;
  void dirty_log_stopped() override;
  void collect_dirty(DirtyLog& log) override;
  // A vCPU's ring is full. On its thread, outside KVM_RUN.
  void dirty_ring_full();
  // Before a new vCPU runs.
  Result<> add_vcpu(int vcpu_fd);

  // Memory that KVM refused: a vCPU must not run.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  Result<> health() const;

 private:
  void remove_all_but(const std::vector<SlotContent>& wanted);
  void add_missing(const std::vector<SlotContent>& wanted);
  void set_logging(bool on);
  bool set(u32 number, const SlotContent& content, u64 size);
  void note(const Result<>& result);
  std::optional<u32> free_number() const;

  const Facts facts_;
  Gate& gate_;
  DirtyLog& log_;
  std::mutex mutex_;  // guards what follows but failed_ and, once it is set, failure_
  std::unique_ptr<DirtyTracker> tracker_;
  std::vector<Slot> slots_;
  bool logging_ = false;
  std::atomic<bool> failed_{false};
  std::string failure_;  // written before failed_
};

}  // namespace kite::kvm
