#include "accel/kvm/slots.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "accel/kvm/abi.h"
#include "base/bits.h"
#include "memory/host_memory.h"

namespace kite::kvm {
namespace {

bool is_readonly(const Region& region) {
  return region.kind() == Region::Kind::kRom || (region.memory() && region.memory()->readonly());
}

bool contains(const std::vector<SlotContent>& sorted, const SlotContent& content) {
  return std::ranges::binary_search(sorted, content);
}

}  // namespace

std::vector<SlotContent> slots_for(const FlatView& view, bool readonly_possible) {
  std::vector<SlotContent> slots;
  for (const FlatRange& range : view.ranges()) {
    if (!range.region->host()) continue;
    bool readonly = is_readonly(*range.region);
    if (readonly && !readonly_possible) continue;
    u64 lost = (kPageSize - range.start % kPageSize) % kPageSize;  // before the first whole page
    if (lost >= range.size) continue;
    u64 size = align_down(range.size - lost, kPageSize);
    u64 host = reinterpret_cast<u64>(range.region->host()) + range.offset + lost;
    if (size == 0 || !is_aligned(host, kPageSize)) continue;
    slots.push_back({range.start + lost, size, host, readonly});
  }
  return slots;
}

Slots::Slots(const Facts& facts, Gate& gate, DirtyLog& log, std::unique_ptr<DirtyTracker> tracker)
    : facts_(facts), gate_(gate), log_(log), tracker_(std::move(tracker)) {}

void Slots::memory_changed(const FlatView&, const FlatView& after) {
  std::vector<SlotContent> wanted = slots_for(after, facts_.readonly_possible);
  std::ranges::sort(wanted);
  std::lock_guard lock(mutex_);
  bool removes = std::ranges::any_of(
      slots_, [&](const Slot& slot) { return !contains(wanted, slot.content); });
  // Adding alone cannot be seen half-way.
  if (removes) {
    gate_.close();
    remove_all_but(wanted);
  }
  add_missing(wanted);
  if (removes) gate_.open();
}

// What KVM knows of a slot's dirty pages goes with the slot.
void Slots::remove_all_but(const std::vector<SlotContent>& wanted) {
  if (logging_) {
    for (const Slot& slot : slots_)
      if (!contains(wanted, slot.content)) note(tracker_->retire(slots_, slot, log_));
  }
  std::erase_if(slots_, [&](const Slot& slot) {
    if (contains(wanted, slot.content)) return false;
    set(slot.number, slot.content, 0);
    return true;
  });
}

void Slots::add_missing(const std::vector<SlotContent>& wanted) {
  for (const SlotContent& content : wanted) {
    if (std::ranges::find(slots_, content, &Slot::content) != slots_.end()) continue;
    std::optional<u32> number = free_number();
    if (!number) {
      return note(fail(ErrorKind::kUnavailable,
                       "the guest's memory map needs more than the {} memory slots that KVM has on "
                       "this host",
                       facts_.count));
    }
    if (set(*number, content, content.size)) slots_.push_back({content, *number});
  }
}

void Slots::dirty_log_started() {
  std::lock_guard lock(mutex_);
  set_logging(true);
}

void Slots::dirty_log_stopped() {
  std::lock_guard lock(mutex_);
  set_logging(false);
  note(tracker_->forget());
}

void Slots::collect_dirty(DirtyLog& log) {
  std::lock_guard lock(mutex_);
  if (logging_) note(tracker_->collect(slots_, log));
}

void Slots::dirty_ring_full() {
  std::lock_guard lock(mutex_);
  note(tracker_->ring_full(slots_, log_));
}

Result<> Slots::add_vcpu(int vcpu_fd) {
  std::lock_guard lock(mutex_);
  return tracker_->add_vcpu(vcpu_fd);
}

void Slots::set_logging(bool on) {
  logging_ = on;
  for (const Slot& slot : slots_)
    if (!slot.content.readonly) set(slot.number, slot.content, slot.content.size);
}

std::optional<u32> Slots::free_number() const {
  std::vector<bool> used(slots_.size() + 1);
  for (const Slot& slot : slots_) {
    if (slot.number < used.size()) used[slot.number] = true;
  }
  u32 number = static_cast<u32>(std::ranges::find(used, false) - used.begin());
  if (number >= facts_.count) return std::nullopt;
  return number;
}

bool Slots::set(u32 number, const SlotContent& content, u64 size) {
  kvm_userspace_memory_region region{};
  region.slot = number;
  region.flags = content.readonly ? KVM_MEM_READONLY : logging_ ? KVM_MEM_LOG_DIRTY_PAGES : 0;
  region.guest_phys_addr = content.start;
  region.memory_size = size;
  region.userspace_addr = content.host;
  if (::ioctl(facts_.vm_fd, KVM_SET_USER_MEMORY_REGION, &region) >= 0) return true;
  note(fail_errno(ErrorKind::kUnavailable, errno,
                  fmt::format("KVM refuses memory slot {} of {}, guest address {:#x}, {:#x} bytes",
                              number, facts_.count, content.start, size)));
  return false;
}

// The first failure is the one that is told.
void Slots::note(const Result<>& result) {
  if (result || failed()) return;
  failure_ = result.error().message;
  failed_.store(true, std::memory_order_release);
}

Result<> Slots::health() const {
  if (failed()) return fail(ErrorKind::kUnavailable, "{}", failure_);
  return {};
}

}  // namespace kite::kvm
