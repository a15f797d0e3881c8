#include "accel/kvm/host_model.h"

#include <algorithm>
#include <array>

#include "accel/x86/topology.h"

namespace kite::kvm {
namespace {

// A leaf's registers that hold bits which a guest is not given, and those bits.
struct Hidden {
  u32 leaf;
  u32 subleaf;
  CpuidLeaf bits;
};

constexpr u32 bits(std::initializer_list<unsigned> numbers) {
  u32 word = 0;
  for (unsigned number : numbers) word |= 1u << number;
  return word;
}

// By EAX, EBX, ECX, EDX. OSXSAVE and OSPKE follow CR4: KVM fills them in. Names: SDM 2A "CPUID",
// APM 3 appendix E.
constexpr Hidden kHidden[] = {
    // APIC ID and count; DTES64, MONITOR, VMX, SMX, PDCM, OSXSAVE; DS, HTT, PBE
    {1, 0, {0, 0xffff0000, bits({2, 3, 5, 6, 15, 27}), bits({21, 28, 31})}},
    // SGX, RDT-M, MPX, RDT-A, PT; OSPKE, CET_SS, SGX_LC, PKS; UINTR, ARCH_LBR, CET_IBT, AMX
    {7, 0, {0, bits({2, 12, 14, 15, 25}), bits({4, 7, 30, 31}), bits({5, 19, 20, 22, 24, 25})}},
    // AMX-FP16, FRED; AMX-COMPLEX, USER_MSR, CET_SSS
    {7, 1, {bits({17, 21}), 0, 0, bits({8, 15, 18})}},
    // XFD; sizes that KVM computes, and supervisor components
    {13, 1, {bits({4}), ~0u, ~0u, ~0u}},
    // CmpLegacy, SVM, IBS, SKINIT, WDT, LWP, PerfCtrExtCore to PerfCtrExtLLC, MONITORX
    {0x80000001, 0, {0, 0, bits({1, 2, 10, 12, 13, 15, 23, 24, 26, 27, 28, 29}), 0}},
    {0x80000008, 0, {0xff0000, 0, ~0u, 0}},  // GuestPhysAddrSize; the number of cores
};

// Leaves that go with what is hidden, and those of topology that have their own entries below.
// 1Fh and 80000026h say with more levels what 0Bh says, and software then reads 0Bh.
constexpr u32 kHiddenLeaves[] = {0x0a,       0x0b,       0x0d,       0x0f,       0x10,
                                 0x12,       0x14,       0x1c,       0x1d,       0x1e,
                                 0x1f,       0x23,       0x8000000a, 0x8000001b, 0x8000001f,
                                 0x80000020, 0x80000022, 0x80000023, 0x80000026};

// AVX-512 and AVX10, which make no sense without AVX.
constexpr Hidden kBuiltOnAvx[] = {
    {7,
     0,
     {0, bits({16, 17, 21, 26, 27, 28, 30, 31}), bits({1, 6, 11, 12, 14}), bits({2, 3, 8, 23})}},
    {7, 1, {bits({4, 5, 23}), 0, 0, bits({4, 5, 10, 19})}},
};

// User state that X86State holds: x87, SSE, AVX, opmask, the two of AVX-512, PKRU (SDM 1 13.1).
constexpr u32 kComponents = bits({0, 1, 2, 5, 6, 7, 9});
constexpr u32 kAvxComponents = bits({2, 5, 6, 7});
constexpr u32 kLegacyAreaAndHeader = 576;

bool is_hidden(u32 leaf) {
  const bool hypervisor = leaf >= 0x40000000 && leaf < 0x40000100;
  return hypervisor || std::ranges::find(kHiddenLeaves, leaf) != std::end(kHiddenLeaves);
}

void hide(CpuModel& model, std::span<const Hidden> list) {
  for (CpuidEntry& entry : model.cpuid) {
    for (const Hidden& hidden : list) {
      if (entry.leaf != hidden.leaf || entry.subleaf.value_or(0) != hidden.subleaf) continue;
      entry.value.eax &= ~hidden.bits.eax;
      entry.value.ebx &= ~hidden.bits.ebx;
      entry.value.ecx &= ~hidden.bits.ecx;
      entry.value.edx &= ~hidden.bits.edx;
    }
  }
}

// Kite's or KVM's own doing, whatever the host's processor has.
constexpr Feature kProvided[] = {Feature::kHypervisor, Feature::kArat,   Feature::kInvtsc,
                                 Feature::kApic,       Feature::kX2apic, Feature::kTscDeadline};

// The entries that are the machine's and Kite's, in place of the host's.
void add_own_leaves(CpuModel& model, const CpuModel& asked) {
  for (u32 level = 0; level < 3; ++level) model.cpuid.push_back({11, level, {}});
  // Frequencies, which cpuid_of() knows. AMD has no such leaves.
  const u32 highest = model.leaf(0, 0).eax;
  for (u32 leaf : {0x15u, 0x16u}) {
    std::erase_if(model.cpuid, [leaf](const CpuidEntry& entry) { return entry.leaf == leaf; });
    if (leaf <= highest && !follows_amd(model)) model.cpuid.push_back({leaf, {}, {}});
  }
  for (const CpuidEntry& entry : asked.cpuid)
    if (entry.leaf >= 0x40000000 && entry.leaf < 0x40000100) model.cpuid.push_back(entry);
  for (CpuidEntry& entry : model.cpuid) {
    if (entry.leaf == 1) entry.value.ebx |= 1 << 16;  // one logical processor
    if (entry.leaf == 6) entry.value = {};            // but for kProvided
    if (entry.leaf == 0x80000008) model.physical_address_bits = entry.value.eax & 0xff;
  }
}

// Leaf 0Dh: of the host's components those that the features use and X86State has.
void describe_xsave(CpuModel& model, const std::vector<kvm_cpuid_entry2>& supported) {
  u32 wanted = model.has(Feature::kXsave) ? kComponents : 0;
  if (!model.has(Feature::kAvx)) wanted &= ~kAvxComponents;
  if (!model.has(Feature::kPku)) wanted &= ~bits({9});
  u32 present = 0, size = kLegacyAreaAndHeader;
  std::vector<CpuidEntry> components;
  for (const kvm_cpuid_entry2& host : supported) {
    if (host.function != 13) continue;
    if (host.index == 0) present = host.eax & wanted;
    if (host.index < 2 || host.index > 31 || !(1u << host.index & wanted) || host.eax == 0)
      continue;
    components.push_back({13, host.index, {host.eax, host.ebx, host.ecx, 0}});
    size = std::max(size, host.ebx + host.eax);
  }
  if (wanted == 0) return;
  model.cpuid.push_back({13, 0, {present, size, size, 0}});
  std::erase_if(components, [&](const CpuidEntry& c) { return !(1u << *c.subleaf & present); });
  model.cpuid.insert(model.cpuid.end(), components.begin(), components.end());
}

}  // namespace

CpuModel host_model(const std::vector<kvm_cpuid_entry2>& supported, const CpuModel& asked) {
  CpuModel model = asked;
  model.from_host = true;
  model.cpuid.clear();
  for (const kvm_cpuid_entry2& host : supported) {
    if (is_hidden(host.function) && !(host.function == 13 && host.index == 1)) continue;
    std::optional<u32> subleaf;
    if (host.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) subleaf = host.index;
    model.cpuid.push_back({host.function, subleaf, {host.eax, host.ebx, host.ecx, host.edx}});
  }
  hide(model, kHidden);
  add_own_leaves(model, asked);
  for (Feature feature : kProvided) model.set(feature, true);
  for (const CpuModel::Change& change : asked.changes) model.set(change.feature, change.present);
  if (!model.has(Feature::kXsave)) std::erase_if(model.cpuid, [](auto& e) { return e.leaf == 13; });
  if (!model.has(Feature::kAvx)) hide(model, kBuiltOnAvx);
  describe_xsave(model, supported);
  return model;
}

}  // namespace kite::kvm
