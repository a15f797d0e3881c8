// Slots: the address space's RAM and ROM as KVM's memory slots.
//
// A slot shows whole pages, so a range is cut to the pages it covers fully; what is left over, and
// every register, has no slot, and an access to it comes out of KVM_RUN and is served by the
// address space. A new FlatView is turned into the slots it wants, and only the difference to those
// that exist goes to KVM: slots that stay are not touched, since KVM throws away the guest's
// translations of every slot that changes.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "accel/kvm/gate.h"
#include "base/result.h"
#include "memory/address_space.h"

namespace kite::kvm {

// What a slot shows; `host` is where its first byte lies in this process.
struct SlotContent {
  Gpa start = 0;
  u64 size = 0;
  u64 host = 0;
  bool readonly = false;
  auto operator<=>(const SlotContent&) const = default;
};

// The slots that `view` wants, ascending. ROM needs read-only slots; without them it gets none.
std::vector<SlotContent> slots_for(const FlatView& view, bool readonly_possible);

class Slots : public MemoryListener {
 public:
  Slots(int vm_fd, u32 count, bool readonly_possible, Gate& gate);

  void memory_changed(const FlatView& before, const FlatView& after) override;

  // Memory that KVM refused: a vCPU must not run.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  Result<> health() const;

 private:
  struct Slot {
    SlotContent content;
    u32 number;
  };
  void remove_all_but(const std::vector<SlotContent>& wanted);
  void add_missing(const std::vector<SlotContent>& wanted);
  bool set(u32 number, const SlotContent& content, u64 size);
  std::optional<u32> free_number() const;

  const int vm_fd_;
  const u32 count_;
  const bool readonly_possible_;
  Gate& gate_;
  std::vector<Slot> slots_;  // only touched by memory_changed, which the address space serialises
  std::atomic<bool> failed_{false};
  std::string failure_;  // written before failed_
};

}  // namespace kite::kvm
