#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "accel/kvm/abi.h"
#include "accel/kvm/dirty.h"

namespace kite::kvm {
namespace {

// One vCPU's ring, which it shares with KVM.
class Ring {
 public:
  static Result<Ring> map(int vcpu_fd, u32 entries) {
    void* data = ::mmap(nullptr, entries * sizeof(kvm_dirty_gfn), PROT_READ | PROT_WRITE,
                        MAP_SHARED, vcpu_fd, off_t{KVM_DIRTY_LOG_PAGE_OFFSET} * kPageSize);
    if (data == MAP_FAILED)
      return fail_errno(ErrorKind::kUnavailable, errno, "KVM: a vCPU's dirty ring");
    return Ring(static_cast<kvm_dirty_gfn*>(data), entries);
  }
  Ring(Ring&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), entries_(other.entries_) {}
  Ring& operator=(Ring&&) = delete;
  ~Ring() {
    if (data_) ::munmap(data_, entries_ * sizeof(kvm_dirty_gfn));
  }

  // Takes every entry that is there: `take(slot, page in it)`. Returns how many there were.
  template <class Take>
  u32 harvest(Take take) {
    u32 taken = 0;
    for (;; ++next_, ++taken) {
      kvm_dirty_gfn& entry = data_[next_ % entries_];
      std::atomic_ref<u32> flags(entry.flags);
      if (!(flags.load(std::memory_order_acquire) & KVM_DIRTY_GFN_F_DIRTY)) return taken;
      take(entry.slot, entry.offset);
      flags.store(KVM_DIRTY_GFN_F_RESET, std::memory_order_release);
    }
  }

 private:
  Ring(kvm_dirty_gfn* data, u32 entries) : data_(data), entries_(entries) {}
  kvm_dirty_gfn* data_;
  u32 entries_;  // a power of two
  u32 next_ = 0;
};

class DirtyRings final : public DirtyTracker {
 public:
  DirtyRings(int vm_fd, u32 entries, Gate& gate) : vm_fd_(vm_fd), entries_(entries), gate_(gate) {}

  Result<> collect(std::span<const Slot> slots, DirtyLog& log) override {
    flush();
    return harvest(slots, &log);
  }
  // Entries of the other slots come with it. The vCPUs are outside already.
  Result<> retire(std::span<const Slot> slots, const Slot&, DirtyLog& log) override {
    return harvest(slots, &log);
  }
  // Another thread may have read the ring before this one came to it, but not again and again.
  Result<> ring_full(std::span<const Slot> slots, DirtyLog& log) override {
    constexpr unsigned kEnough = 100'000;
    if (++fruitless_ > kEnough)
      return fail(ErrorKind::kInternal, "KVM says that a dirty ring is full, and it is empty");
    return harvest(slots, &log);
  }
  Result<> forget() override {
    flush();
    return harvest({}, nullptr);
  }
  Result<> add_vcpu(int vcpu_fd) override {
    rings_.push_back(KITE_TRY(Ring::map(vcpu_fd, entries_)));
    return {};
  }

 private:
  void flush() {
    gate_.close();
    gate_.open();
  }

  Result<> harvest(std::span<const Slot> slots, DirtyLog* log) {
    u32 taken = 0;
    for (Ring& ring : rings_) {
      const u32 count = ring.harvest([&](u32 number, u64 page) {
        if (log) mark(slots, number, page, *log);
      });
      if (count >= entries_ && log) mark_all(slots, *log);
      taken += count;
    }
    if (taken != 0) fruitless_ = 0;
    if (::ioctl(vm_fd_, KVM_RESET_DIRTY_RINGS, 0) < 0)
      return fail_errno(ErrorKind::kInternal, errno, "KVM does not reset its dirty rings");
    return {};
  }

  static void mark_all(std::span<const Slot> slots, DirtyLog& log) {
    for (const Slot& slot : slots)
      if (!slot.content.readonly)
        log.mark(reinterpret_cast<const u8*>(slot.content.host), slot.content.size);
  }

  static void mark(std::span<const Slot> slots, u32 number, u64 page, DirtyLog& log) {
    const auto slot = std::ranges::find(slots, number, &Slot::number);
    if (slot == slots.end() || page >= slot->content.size / kPageSize) return;
    log.mark(reinterpret_cast<const u8*>(slot->content.host) + page * kPageSize, kPageSize);
  }

  const int vm_fd_;
  const u32 entries_;
  Gate& gate_;
  std::vector<Ring> rings_;
  unsigned fruitless_ = 0;  // calls of ring_full() since an entry was last seen
};

int check_extension(int vm_fd, int capability) {
  return ::ioctl(vm_fd, KVM_CHECK_EXTENSION, capability);
}

Result<> enable(int vm_fd, u32 capability, u64 argument, const char* what) {
  kvm_enable_cap request{};
  request.cap = capability;
  request.args[0] = argument;
  if (::ioctl(vm_fd, KVM_ENABLE_CAP, &request) >= 0) return {};
  return fail_errno(ErrorKind::kUnavailable, errno, what);
}

Result<std::unique_ptr<DirtyTracker>> enable_rings(int vm_fd, u32 entries, Gate& gate) {
  // The older one promises an x86's memory order, which is what we have.
  u32 capability = KVM_CAP_DIRTY_LOG_RING_ACQ_REL;
  int largest = check_extension(vm_fd, static_cast<int>(capability));
  if (largest <= 0) {
    capability = KVM_CAP_DIRTY_LOG_RING;
    largest = check_extension(vm_fd, static_cast<int>(capability));
  }
  if (largest <= 0)
    return fail(ErrorKind::kUnavailable,
                "dirty-ring-size={}: the host's KVM has no dirty ring (KVM_CAP_DIRTY_LOG_RING)",
                entries);
  const u64 most = static_cast<u64>(largest) / sizeof(kvm_dirty_gfn);
  if (entries > most)
    return fail(ErrorKind::kUnavailable,
                "dirty-ring-size={}: the host's KVM has at most {} entries", entries, most);
  KITE_CHECK(enable(vm_fd, capability, u64{entries} * sizeof(kvm_dirty_gfn),
                    "KVM refuses a dirty ring of that size"));
  return make_dirty_rings(vm_fd, entries, gate);
}

}  // namespace

std::unique_ptr<DirtyTracker> make_dirty_rings(int vm_fd, u32 entries, Gate& gate) {
  return std::make_unique<DirtyRings>(vm_fd, entries, gate);
}

Result<std::unique_ptr<DirtyTracker>> make_dirty_tracker(int vm_fd, u32 ring_entries, Gate& gate) {
  if (ring_entries != 0) return enable_rings(vm_fd, ring_entries, gate);
  // Not with KVM_DIRTY_LOG_INITIALLY_SET: a log begins with every page clean.
  const int offered = check_extension(vm_fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
  const bool manual =
      offered > 0 && (offered & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) != 0 &&
      enable(vm_fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, "")
          .has_value();
  return make_dirty_bitmaps(vm_fd, manual);
}

}  // namespace kite::kvm
