#include <sys/ioctl.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "accel/kvm/abi.h"
#include "accel/kvm/dirty.h"

namespace kite::kvm {
namespace {

constexpr u64 kBits = 64;
// KVM_CLEAR_DIRTY_LOG keeps KVM's memory lock for the whole of its range: 1 GiB at a time.
constexpr u64 kPagesPerClear = u64{1} << 18;

class DirtyBitmaps final : public DirtyTracker {
 public:
  DirtyBitmaps(int vm_fd, bool manual) : vm_fd_(vm_fd), manual_(manual) {}

  Result<> collect(std::span<const Slot> slots, DirtyLog& log) override {
    for (const Slot& slot : slots) KITE_CHECK(collect_one(slot, log));
    return {};
  }
  Result<> retire(std::span<const Slot>, const Slot& going, DirtyLog& log) override {
    return collect_one(going, log);
  }

 private:
  Result<> collect_one(const Slot& slot, DirtyLog& log) {
    if (slot.content.readonly) return {};
    const u64 pages = slot.content.size / kPageSize;
    bitmap_.assign((pages + kBits - 1) / kBits, 0);
    kvm_dirty_log request{};
    request.slot = slot.number;
    request.dirty_bitmap = bitmap_.data();
    if (::ioctl(vm_fd_, KVM_GET_DIRTY_LOG, &request) < 0)
      return fail_errno(ErrorKind::kInternal, errno, "KVM does not tell which pages are dirty");
    if (std::ranges::all_of(bitmap_, [](u64 word) { return word == 0; })) return {};
    if (manual_) KITE_CHECK(clear(slot.number, pages));
    mark(slot.content, pages, log);
    return {};
  }

  // In pieces that begin at a multiple of 64 pages; those without a dirty page are left out.
  Result<> clear(u32 number, u64 pages) {
    for (u64 first = 0; first < pages; first += kPagesPerClear) {
      const u64 count = std::min(kPagesPerClear, pages - first);
      u64* const words = bitmap_.data() + first / kBits;
      const u64 words_count = (count + kBits - 1) / kBits;
      if (std::all_of(words, words + words_count, [](u64 word) { return word == 0; })) continue;
      kvm_clear_dirty_log request{};
      request.slot = number;
      request.num_pages = static_cast<u32>(count);
      request.first_page = first;
      request.dirty_bitmap = words;
      if (::ioctl(vm_fd_, KVM_CLEAR_DIRTY_LOG, &request) < 0)
        return fail_errno(ErrorKind::kInternal, errno, "KVM does not clear its dirty pages");
    }
    return {};
  }

  void mark(const SlotContent& content, u64 pages, DirtyLog& log) {
    const auto* host = reinterpret_cast<const u8*>(content.host);
    for (u64 page = 0; page < pages;) {
      const u64 word = bitmap_[page / kBits] >> (page % kBits);
      if (word == 0) {
        page = (page / kBits + 1) * kBits;
        continue;
      }
      page += static_cast<u64>(std::countr_zero(word));
      const u64 run = static_cast<u64>(std::countr_one(bitmap_[page / kBits] >> (page % kBits)));
      log.mark(host + page * kPageSize, run * kPageSize);
      page += run;
    }
  }

  const int vm_fd_;
  const bool manual_;
  std::vector<u64> bitmap_;
};

}  // namespace

std::unique_ptr<DirtyTracker> make_dirty_bitmaps(int vm_fd, bool manual) {
  return std::make_unique<DirtyBitmaps>(vm_fd, manual);
}

}  // namespace kite::kvm
