// A CpuModel as KVM_SET_CPUID2 takes it, without the features the host cannot give.
#pragma once

#include <string_view>
#include <vector>

#include "accel/kvm/abi.h"
#include "accel/kvm/device.h"
#include "accel/x86/cpu_model.h"

namespace kite::kvm {

// The storage of a struct kvm_cpuid2 with its entries.
class CpuidTable {
 public:
  explicit CpuidTable(u32 capacity);
  kvm_cpuid2& raw() { return *reinterpret_cast<kvm_cpuid2*>(storage_.data()); }
  std::vector<kvm_cpuid_entry2> entries() const;
  void add(const kvm_cpuid_entry2& entry);

 private:
  std::vector<u64> storage_;
  u32 capacity_;
};

// The model with the features this KVM cannot give switched off; `missing` gets the names of those
// that were asked for. "host" becomes host_model(). `kernel_chips`: the local APICs are KVM's.
Result<CpuModel> usable_model(const Device& device, const CpuModel& model, bool kernel_chips,
                              std::vector<std::string_view>& missing);

// The model with a TSC of that frequency.
void set_tsc_frequency(CpuModel& model, u64 tsc_khz);

// What the vCPU's CPUID answers, with the frequency of its TSC where a leaf tells it.
CpuidTable cpuid_of(const CpuModel& model, const CpuidContext& vcpu, u64 tsc_khz);

}  // namespace kite::kvm
