#include "accel/kvm/cpuid.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kite::kvm {
namespace {

// Features that are Kite's or KVM's own doing, whatever the host's processor has.
bool is_provided(Feature feature, const Capabilities& capabilities, bool kernel_chips) {
  switch (feature) {
    case Feature::kHypervisor:
    case Feature::kArat:
    case Feature::kInvtsc:
    case Feature::kApic:
      return true;
    case Feature::kX2apic:
      if (kernel_chips) return false;  // KVM_GET_SUPPORTED_CPUID tells
      [[fallthrough]];
    case Feature::kTscDeadline:  // both are MSRs of Kite's own local APIC
      if (kernel_chips) return capabilities.tsc_deadline;
      return capabilities.user_space_msr && capabilities.msr_filter;
    default:
      return false;
  }
}

u32 register_of(const kvm_cpuid_entry2& entry, u8 reg) {
  const u32 registers[] = {entry.eax, entry.ebx, entry.ecx, entry.edx};
  return registers[reg];
}

bool is_supported(const std::vector<kvm_cpuid_entry2>& entries, Feature feature) {
  FeaturePlace place = place_of(feature);
  return std::ranges::any_of(entries, [&](const kvm_cpuid_entry2& entry) {
    return entry.function == place.leaf && entry.index == place.subleaf &&
           ((register_of(entry, place.reg) >> place.bit) & 1);
  });
}

Result<std::vector<kvm_cpuid_entry2>> supported(int fd) {
  CpuidTable table(256);
  table.raw().nent = 256;
  if (::ioctl(fd, KVM_GET_SUPPORTED_CPUID, &table.raw()) < 0) {
    return fail_errno(ErrorKind::kUnavailable, errno, "KVM does not tell the CPUID it supports");
  }
  return table.entries();
}

// A guest must not be told of address bits that the host would take for reserved.
void limit_address_bits(CpuModel& model, const std::vector<kvm_cpuid_entry2>& entries) {
  for (const kvm_cpuid_entry2& entry : entries) {
    if (entry.function != 0x80000008 || (entry.eax & 0xff) == 0) continue;
    model.physical_address_bits = std::min(model.physical_address_bits, entry.eax & 0xff);
  }
  for (CpuidEntry& entry : model.cpuid) {
    if (entry.leaf != 0x80000008) continue;
    entry.value.eax = (entry.value.eax & ~0xffu) | model.physical_address_bits;
  }
}

// XSAVE runs on the host's processor, so its components stand where that puts them.
void follow_xsave_layout(CpuModel& model, const std::vector<kvm_cpuid_entry2>& entries) {
  u32 size = 0;
  for (CpuidEntry& entry : model.cpuid) {
    if (entry.leaf != 13 || entry.subleaf.value_or(0) < 2 || entry.value.eax == 0) continue;
    for (const kvm_cpuid_entry2& host : entries)
      if (host.function == 13 && host.index == entry.subleaf && host.eax != 0)
        entry.value = {host.eax, host.ebx, host.ecx, 0};
    size = std::max(size, entry.value.ebx + entry.value.eax);
  }
  for (CpuidEntry& entry : model.cpuid)
    if (entry.leaf == 13 && entry.subleaf == 0) entry.value.ecx = std::max(entry.value.ecx, size);
}

}  // namespace

CpuidTable::CpuidTable(u32 capacity)
    : storage_((sizeof(kvm_cpuid2) + capacity * sizeof(kvm_cpuid_entry2) + 7) / 8),
      capacity_(capacity) {}

std::vector<kvm_cpuid_entry2> CpuidTable::entries() const {
  const auto& raw = *reinterpret_cast<const kvm_cpuid2*>(storage_.data());
  std::vector<kvm_cpuid_entry2> list(std::min(raw.nent, capacity_));
  const u8* from = reinterpret_cast<const u8*>(storage_.data()) + sizeof(kvm_cpuid2);
  if (!list.empty()) std::memcpy(list.data(), from, list.size() * sizeof(kvm_cpuid_entry2));
  return list;
}

void CpuidTable::add(const kvm_cpuid_entry2& entry) {
  u32& count = raw().nent;
  if (count == capacity_) return;
  u8* to = reinterpret_cast<u8*>(storage_.data()) + sizeof(kvm_cpuid2);
  std::memcpy(to + count * sizeof entry, &entry, sizeof entry);
  ++count;
}

Result<CpuModel> usable_model(const Device& device, const CpuModel& model, bool kernel_chips,
                              std::vector<std::string_view>& missing) {
  std::vector<kvm_cpuid_entry2> entries = KITE_TRY(supported(device.fd.get()));
  CpuModel usable = model;
  for (const FeatureName& known : feature_names()) {
    if (!model.has(known.feature)) continue;
    if (is_provided(known.feature, device.capabilities, kernel_chips)) continue;
    if (is_supported(entries, known.feature)) continue;
    usable.set(known.feature, false);
    missing.push_back(known.name);
  }
  limit_address_bits(usable, entries);
  follow_xsave_layout(usable, entries);
  return usable;
}

CpuidTable cpuid_of(const CpuModel& model, const CpuidContext& vcpu, u64 tsc_khz) {
  CpuidTable table(static_cast<u32>(model.cpuid.size()));
  for (const CpuidEntry& entry : model.cpuid) {
    u32 subleaf = entry.subleaf.value_or(0);
    CpuidLeaf value = model.leaf(entry.leaf, subleaf, vcpu);
    if (entry.leaf == 0x40000010) value.eax = static_cast<u32>(tsc_khz);
    kvm_cpuid_entry2 raw{};
    raw.function = entry.leaf;
    raw.index = subleaf;
    raw.flags = entry.subleaf ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
    raw.eax = value.eax;
    raw.ebx = value.ebx;
    raw.ecx = value.ecx;
    raw.edx = value.edx;
    table.add(raw);
  }
  return table;
}

}  // namespace kite::kvm
