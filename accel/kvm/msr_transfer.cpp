#include "accel/kvm/msr_transfer.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "accel/kvm/abi.h"
#include "accel/x86/msr.h"

namespace kite::kvm {
namespace {

// A struct kvm_msrs with room.
struct Batch {
  static constexpr u32 kMost = 128;
  u32 count = 0;
  u32 padding = 0;
  std::array<kvm_msr_entry, kMost> entries;

  void add(u32 index, u64 value) {
    entries[count++] = {.index = index, .reserved = 0, .data = value};
  }
  bool full() const { return count == kMost; }
};
static_assert(offsetof(Batch, entries) == sizeof(kvm_msrs));

// What KVM does not take is left alone, and must not keep back the rest: KVM stops at it.
void send(int fd, Batch& batch) {
  for (u32 first = 0; first < batch.count;) {
    Batch rest;
    for (u32 i = first; i < batch.count; ++i)
      rest.add(batch.entries[i].index, batch.entries[i].data);
    const int done = ::ioctl(fd, KVM_SET_MSRS, &rest);
    if (done < 0) return;
    first += static_cast<u32>(done) + 1;
  }
  batch.count = 0;
}

using Field = u64* (*)(X86State&, unsigned);

template <u64 X86State::*Member>
u64* plain(X86State& state, unsigned) {
  return &(state.*Member);
}
template <auto Member>
u64* element(X86State& state, unsigned number) {
  return &(state.*Member)[number];
}

// KVM_GET_MSR_INDEX_LIST leaves the memory types out although KVM has them.
bool is_listed(const Device& device, u32 index) {
  return index == msr::kPat || index == msr::kMtrrDefType ||
         (index >= msr::kMtrrPhysBase0 && index < msr::kMtrrDefType) ||
         (index >= msr::kMc0Ctl && index < msr::kMc0Ctl + 4 * X86State::kMachineCheckBanks) ||
         device.has_msr(index);
}

// Registers of KVM's list that are not a processor's state, or that another part transfers: what it
// offers (SDM 4: IA32_ARCH_CAPABILITIES, IA32_PERF_CAPABILITIES, VMX capabilities, platform), the
// interrupt controller's, clocks, and those of another hypervisor's interface.
bool is_no_state(u32 index) {
  constexpr u32 kPlatformInfo = 0xce, kPerfCapabilities = 0x345, kVmxFirst = 0x480,
                kVmxLast = 0x491, kHyperVFirst = 0x40000000, kHyperVLast = 0x400001ff;
  return index == msr::kApicBase || index == msr::kTscDeadline || index == msr::kTsc ||
         index == msr::kArchCapabilities || index == msr::kBiosSignatureId ||
         index == msr::kMcgCap || index == msr::kMtrrCap || index == kPlatformInfo ||
         index == kPerfCapabilities || (index >= kVmxFirst && index <= kVmxLast) ||
         (index >= msr::kX2apicFirst && index <= msr::kX2apicLast) ||
         (index >= kHyperVFirst && index <= kHyperVLast) || index == msr::kKvmWallClockOld ||
         index == msr::kKvmSystemTimeOld || index == msr::kEfer || index == msr::kFsBase ||
         index == msr::kGsBase;
}

}  // namespace

std::optional<u64> read_msr(int fd, u32 index) {
  Batch one;
  one.add(index, 0);
  if (::ioctl(fd, KVM_GET_MSRS, &one) != 1) return std::nullopt;
  return one.entries[0].data;
}

bool write_msr(int fd, u32 index, u64 value) {
  Batch one;
  one.add(index, value);
  return ::ioctl(fd, KVM_SET_MSRS, &one) == 1;
}

// The core's first.
std::vector<MsrList::Place> MsrList::all_places() {
  std::vector<Place> places = {
      {msr::kStar, &plain<&X86State::star>, 0},
      {msr::kLstar, &plain<&X86State::lstar>, 0},
      {msr::kCstar, &plain<&X86State::cstar>, 0},
      {msr::kSfmask, &plain<&X86State::sfmask>, 0},
      {msr::kKernelGsBase, &plain<&X86State::kernel_gs_base>, 0},
      {msr::kSysenterCs, &plain<&X86State::sysenter_cs>, 0},
      {msr::kSysenterEsp, &plain<&X86State::sysenter_esp>, 0},
      {msr::kSysenterEip, &plain<&X86State::sysenter_eip>, 0},
      {msr::kPat, &plain<&X86State::pat>, 0},
      {msr::kTscAdjust, &plain<&X86State::tsc_adjust>, 0},
      {msr::kTsc, &plain<&X86State::tsc>, 0},
      {msr::kTscAux, &plain<&X86State::tsc_aux>, 0},
      {msr::kMiscEnable, &plain<&X86State::misc_enable>, 0},
      {msr::kKvmWallClock, &plain<&X86State::kvm_wall_clock>, 0},
      {msr::kKvmSystemTime, &plain<&X86State::kvm_system_time>, 0},
      {msr::kMtrrDefType, &plain<&X86State::mtrr_def_type>, 0},
      {msr::kMcgStatus, &plain<&X86State::mcg_status>, 0},
      {msr::kMcgCtl, &plain<&X86State::mcg_ctl>, 0},
  };
  const auto add = [&](u32 first, unsigned count, Field field, unsigned number = 0) {
    for (unsigned i = 0; i < count; ++i) places.push_back({first + i, field, number + i});
  };
  add(msr::kMtrrPhysBase0, 16, &element<&X86State::mtrr_variable>);
  add(msr::kMtrrFix64k, 1, &element<&X86State::mtrr_fixed>);
  add(msr::kMtrrFix16k, 2, &element<&X86State::mtrr_fixed>, 1);
  add(msr::kMtrrFix4k, 8, &element<&X86State::mtrr_fixed>, 3);
  add(msr::kMc0Ctl, 4 * X86State::kMachineCheckBanks, &element<&X86State::mc_banks>);
  return places;
}

void MsrList::find(int fd, const Device& device) {
  places_ = all_places();
  std::erase_if(places_, [&](const Place& place) {
    return !is_listed(device, place.index) || !read_msr(fd, place.index);
  });
  const auto first = std::ranges::find(places_, msr::kMtrrDefType, &Place::index);
  core_ = static_cast<std::size_t>(first - places_.begin());
  others_.clear();
  for (u32 index : device.msrs) {
    const bool named = std::ranges::find(places_, index, &Place::index) != places_.end();
    if (!named && !is_no_state(index) && read_msr(fd, index)) others_.push_back(index);
  }
  if (others_.size() > Batch::kMost) others_.resize(Batch::kMost);
}

void MsrList::read(int fd, X86State& state, bool all) const {
  const std::size_t count = all ? places_.size() : core_;
  Batch batch;
  for (std::size_t i = 0; i < count; ++i) batch.add(places_[i].index, 0);
  const int done = ::ioctl(fd, KVM_GET_MSRS, &batch);
  for (int i = 0; i < done; ++i) {
    const Place& place = places_[static_cast<std::size_t>(i)];
    *place.field(state, place.number) = batch.entries[static_cast<std::size_t>(i)].data;
  }
}

void MsrList::read_others(int fd, X86State& state) const {
  Batch batch;
  for (u32 index : others_) batch.add(index, 0);
  const int done = batch.count ? ::ioctl(fd, KVM_GET_MSRS, &batch) : 0;
  state.other_msrs.clear();
  for (u32 i = 0; i < static_cast<u32>(std::max(done, 0)); ++i)
    state.other_msrs.push_back({batch.entries[i].index, batch.entries[i].data});
}

void MsrList::write(int fd, const X86State& state) const {
  X86State copy = state;
  Batch batch;
  for (const Place& place : places_) {
    if (place.index == msr::kTsc || place.index == msr::kTscAdjust) continue;
    batch.add(place.index, *place.field(copy, place.number));
  }
  send(fd, batch);
  for (const OtherMsr& other : state.other_msrs) {
    if (std::ranges::find(others_, other.index) == others_.end()) continue;
    batch.add(other.index, other.value);
    if (batch.full()) send(fd, batch);
  }
  send(fd, batch);
}

void MsrList::write_changed(int fd, const X86State& from, const X86State& to) const {
  X86State before = from, after = to;
  Batch batch;
  for (const Place& place : places_) {
    const u64 value = *place.field(after, place.number);
    if (place.index != msr::kTsc && value != *place.field(before, place.number))
      batch.add(place.index, value);
  }
  send(fd, batch);
}

}  // namespace kite::kvm
