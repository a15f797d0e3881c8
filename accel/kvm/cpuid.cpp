#include "accel/kvm/cpuid.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "accel/kvm/host_model.h"

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
    case Feature::kX2apic:  // MSRs of Kite's own local APIC; of KVM's, KVM_GET_SUPPORTED_CPUID
                            // tells
      return !kernel_chips && capabilities.user_space_msr && capabilities.msr_filter;
    case Feature::kTscDeadline:
      // Not of Kite's: KVM has a short cut for the guest's write (Linux arch/x86/kvm, the fastpath
      // of WRMSR) that asks neither the MSR filter nor whether there is a local APIC in the kernel,
      // so that the write is lost.
      return kernel_chips && capabilities.tsc_deadline;
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

bool can_be_given(const std::vector<kvm_cpuid_entry2>& entries, Feature feature,
                  const Capabilities& capabilities, bool kernel_chips) {
  if (is_provided(feature, capabilities, kernel_chips)) return true;
  // KVM_GET_SUPPORTED_CPUID speaks of KVM's own local APICs.
  const bool is_the_apics = feature == Feature::kX2apic || feature == Feature::kTscDeadline;
  return !(is_the_apics && !kernel_chips) && is_supported(entries, feature);
}

// By name: "host" is whatever there is.
bool is_asked_for(const CpuModel& model, Feature feature) {
  if (!model.is_host) return true;
  return std::ranges::any_of(model.changes, [feature](const CpuModel::Change& change) {
    return change.feature == feature && change.present;
  });
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
  CpuModel usable = model.is_host ? host_model(entries, model) : model;
  for (const FeatureName& known : feature_names()) {
    if (!usable.has(known.feature)) continue;
    if (can_be_given(entries, known.feature, device.capabilities, kernel_chips)) continue;
    usable.set(known.feature, false);
    if (is_asked_for(model, known.feature)) missing.push_back(known.name);
  }
  if (usable.from_host) return usable;
  limit_address_bits(usable, entries);
  follow_xsave_layout(usable, entries);
  return usable;
}

namespace {

// Leaves that tell the guest's frequencies (SDM 2A "CPUID", Linux
// Documentation/virt/kvm/x86/cpuid.rst has 4000'0010h from VMware's interface). The "crystal" is
// what the local APIC's timer counts, so that ECX x EBX / EAX is the TSC to the kilohertz.
void tell_frequencies(u32 leaf, u64 tsc_khz, CpuidLeaf& value) {
  constexpr u32 kCrystalHz = 1'000'000'000;
  const u32 khz = static_cast<u32>(tsc_khz);
  if (leaf == 0x40000010) value.eax = khz;
  if (leaf == 0x15) value = {kCrystalHz / 1000, khz, kCrystalHz, 0};
  if (leaf == 0x16) value = {khz / 1000, khz / 1000, 0, 0};
}

}  // namespace

void set_tsc_frequency(CpuModel& model, u64 tsc_khz) {
  model.tsc_hz = tsc_khz * 1000;
  for (CpuidEntry& entry : model.cpuid) tell_frequencies(entry.leaf, tsc_khz, entry.value);
}

CpuidTable cpuid_of(const CpuModel& model, const CpuidContext& vcpu, u64 tsc_khz) {
  CpuidTable table(static_cast<u32>(model.cpuid.size()));
  for (const CpuidEntry& entry : model.cpuid) {
    u32 subleaf = entry.subleaf.value_or(0);
    CpuidLeaf value = model.leaf(entry.leaf, subleaf, vcpu);
    tell_frequencies(entry.leaf, tsc_khz, value);
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
