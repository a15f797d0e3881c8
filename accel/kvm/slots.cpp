#include "accel/kvm/slots.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "accel/kvm/abi.h"
#include "base/bits.h"
#include "base/log.h"
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

Slots::Slots(int vm_fd, u32 count, bool readonly_possible, Gate& gate)
    : vm_fd_(vm_fd), count_(count), readonly_possible_(readonly_possible), gate_(gate) {}

void Slots::memory_changed(const FlatView&, const FlatView& after) {
  std::vector<SlotContent> wanted = slots_for(after, readonly_possible_);
  std::ranges::sort(wanted);
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

void Slots::remove_all_but(const std::vector<SlotContent>& wanted) {
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
      errno = ENOSPC;
      set(count_, content, content.size);
      return;
    }
    if (set(*number, content, content.size)) slots_.push_back({content, *number});
  }
}

std::optional<u32> Slots::free_number() const {
  std::vector<bool> used(slots_.size() + 1);
  for (const Slot& slot : slots_) {
    if (slot.number < used.size()) used[slot.number] = true;
  }
  u32 number = static_cast<u32>(std::ranges::find(used, false) - used.begin());
  if (number >= count_) return std::nullopt;
  return number;
}

bool Slots::set(u32 number, const SlotContent& content, u64 size) {
  kvm_userspace_memory_region region{};
  region.slot = number;
  region.flags = content.readonly ? KVM_MEM_READONLY : 0;
  region.guest_phys_addr = content.start;
  region.memory_size = size;
  region.userspace_addr = content.host;
  if (::ioctl(vm_fd_, KVM_SET_USER_MEMORY_REGION, &region) >= 0) return true;
  if (!failed()) {
    failure_ = fmt::format("KVM refuses memory slot {} of {}, guest address {:#x}, {:#x} bytes: {}",
                           number, count_, content.start, size, std::strerror(errno));
    failed_.store(true, std::memory_order_release);
  }
  return false;
}

Result<> Slots::health() const {
  if (failed()) return fail(ErrorKind::kUnavailable, "{}", failure_);
  return {};
}

}  // namespace kite::kvm
