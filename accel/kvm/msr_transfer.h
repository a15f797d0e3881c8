// The model-specific registers of X86State, to and from KVM.
#pragma once

#include <optional>
#include <vector>

#include "accel/kvm/device.h"
#include "accel/x86/state.h"
#include "base/result.h"

namespace kite::kvm {

std::optional<u64> read_msr(int fd, u32 index);
bool write_msr(int fd, u32 index, u64 value);

// Which of them this vCPU has, found by asking once; then they go by the batch, one ioctl each way.
class MsrList {
 public:
  // `fd` is a vCPU's, after KVM_SET_CPUID2, by which KVM goes.
  void find(int fd, const Device& device);

  // Those that X86State has names for; `all`: else without memory types and machine checks.
  void read(int fd, X86State& state, bool all) const;
  // The rest of KVM's list, into X86State::other_msrs.
  void read_others(int fd, X86State& state) const;
  // All of them but the TSC and IA32_TSC_ADJUST, whose order the caller chooses.
  void write(int fd, const X86State& state) const;
  // Those that differ, the TSC aside.
  void write_changed(int fd, const X86State& from, const X86State& to) const;

 private:
  struct Place {
    u32 index;
    u64* (*field)(X86State& state, unsigned number);
    unsigned number;  // of a register that is one of an array
  };
  static std::vector<Place> all_places();

  std::vector<Place> places_;
  std::size_t core_ = 0;  // so many of them are not memory types or machine checks
  std::vector<u32> others_;
};

}  // namespace kite::kvm
