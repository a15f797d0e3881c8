#include <limits.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/fixed_name.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace kite {

namespace {

constexpr u64 kSlot = PATH_MAX, kSlots = 16;
constexpr u64 kRoom = kSlot * kSlots;
// From the lowest address that Linux lets a process map by default (vm.mmap_min_addr) to where
// programs begin that have a fixed address.
constexpr u64 kLowest = 0x10000, kHighest = 0x400000;

// The fixed place and what is in it.
class Place {
 public:
  const char* put(std::string_view name, FixedName::Use use);
  void remove(const char* place);
  Result<> seal();
  std::vector<fixed_names::Entry> entries();
  u64 end();

 private:
  bool map();
  char* slot(u64 index) { return base_ + index * kSlot; }

  std::mutex mutex_;  // guards everything below
  char* base_ = nullptr;
  bool tried_ = false, sealed_ = false;
  std::array<bool, kSlots> used_{};
  std::array<FixedName::Use, kSlots> uses_{};
};

bool Place::map() {
  if (std::exchange(tried_, true)) return base_ != nullptr;
  for (u64 at = kLowest; at + kRoom <= kHighest; at += kRoom) {
    void* wanted = reinterpret_cast<void*>(at);
    void* got = ::mmap(wanted, kRoom, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED) continue;
    if (got == wanted) {
      base_ = static_cast<char*>(got);
      return true;
    }
    ::munmap(got, kRoom);  // Linux before 4.17 takes the address as a wish
  }
  return false;
}

const char* Place::put(std::string_view name, FixedName::Use use) {
  std::lock_guard lock(mutex_);
  if (sealed_ || name.empty() || name.size() >= kSlot || !map()) return nullptr;
  for (u64 i = 0; i < kSlots; ++i) {
    if (used_[i]) continue;
    used_[i] = true;
    uses_[i] = use;
    std::memcpy(slot(i), name.data(), name.size());
    slot(i)[name.size()] = '\0';
    return slot(i);
  }
  return nullptr;
}

void Place::remove(const char* place) {
  std::lock_guard lock(mutex_);
  if (!sealed_) used_[static_cast<u64>(place - base_) / kSlot] = false;
}

Result<> Place::seal() {
  std::lock_guard lock(mutex_);
  if (std::exchange(sealed_, true) || base_ == nullptr) return {};
  if (::mprotect(base_, kRoom, PROT_READ) != 0)
    return fail_errno(ErrorKind::kUnavailable, errno, "cannot fix the names of files");
  return {};
}

std::vector<fixed_names::Entry> Place::entries() {
  std::lock_guard lock(mutex_);
  std::vector<fixed_names::Entry> entries;
  for (u64 i = 0; i < kSlots; ++i)
    if (used_[i]) entries.push_back({slot(i), uses_[i]});
  return entries;
}

u64 Place::end() {
  std::lock_guard lock(mutex_);
  return base_ == nullptr ? 0 : reinterpret_cast<u64>(base_) + kRoom;
}

// Never destroyed: names may outlive it otherwise.
Place& place() {
  static Place& instance = *new Place;
  return instance;
}

}  // namespace

FixedName::FixedName(std::string_view name, Use use) : own_(name), place_(place().put(name, use)) {
  if (place_ == nullptr) place_ = own_.c_str();
}

FixedName::~FixedName() {
  if (place_ != own_.c_str()) place().remove(place_);
}

namespace fixed_names {

Result<> seal() {
  return place().seal();
}

std::vector<Entry> entries() {
  return place().entries();
}

u64 end() {
  return place().end();
}

}  // namespace fixed_names

}  // namespace kite
