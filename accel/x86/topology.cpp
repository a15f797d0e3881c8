#include "accel/x86/topology.h"

#include <algorithm>
#include <bit>

#include "base/bits.h"

namespace kite {
namespace {

constexpr u32 kMostInAByte = 255;

// Bits `high`…`low` of a register become `number`.
void put(u32& word, unsigned high, unsigned low, u32 number) {
  const u32 mask = (high == 31 ? ~0u : (1u << (high + 1)) - 1) & ~((1u << low) - 1);
  word = (word & ~mask) | (number << low & mask);
}

// Of the part of the APIC ID that tells cores of the package apart.
unsigned core_bits(u32 cpus) {
  return static_cast<unsigned>(std::bit_width(cpus - 1));
}

// SDM: "maximum number of addressable IDs for logical processors in this physical package"; APM 3
// E.3.1, LogicalProcessorCount: how many there are.
void describe_leaf_1(bool amd, const CpuidContext& vcpu, CpuidLeaf& value) {
  constexpr u32 kHtt = 1u << 28;
  value.ebx |= vcpu.apic_id << 24;
  if (vcpu.cpus == 1) return;
  put(value.ebx, 23, 16, std::min(amd ? vcpu.cpus : std::bit_ceil(vcpu.cpus), kMostInAByte));
  value.edx |= kHtt;
}

// Intel's caches: a core has its own first and second level, the package shares the others.
void describe_leaf_4(const CpuidContext& vcpu, CpuidLeaf& value) {
  if ((value.eax & 0x1f) == 0) return;  // no more caches
  const unsigned level = value.eax >> 5 & 7;
  const u32 addressable = std::bit_ceil(vcpu.cpus);
  put(value.eax, 25, 14, level >= 3 ? addressable - 1 : 0);
  put(value.eax, 31, 26, std::min(addressable - 1, 63u));
}

// AMD's caches, the same (APM 3 E.4.15).
void describe_leaf_8000001d(const CpuidContext& vcpu, CpuidLeaf& value) {
  if ((value.eax & 0x1f) == 0) return;
  const unsigned level = value.eax >> 5 & 7;
  put(value.eax, 25, 14, level >= 3 ? vcpu.cpus - 1 : 0);
}

// Leaf 0Bh, which comes with x2APIC mode (SDM 2A "CPUID", APM 3 E.3.8): threads of a core, cores of
// the package, and EDX is the APIC ID whatever was asked.
CpuidLeaf extended_topology(u32 level, const CpuidContext& vcpu) {
  constexpr u32 kThreads = 1 << 8, kCores = 2 << 8;
  if (level == 0) return {0, 1, kThreads, vcpu.apic_id};
  if (level != 1) return {0, 0, level & 0xff, vcpu.apic_id};
  return {core_bits(vcpu.cpus), vcpu.cpus, kCores | 1, vcpu.apic_id};
}

// What only AMD has (APM 3 E.4.1 "CmpLegacy", E.4.7 NC and ApicIdSize, E.4.16).
void describe_amd_leaf(const CpuModel& model, u32 leaf, const CpuidContext& vcpu,
                       CpuidLeaf& value) {
  constexpr u32 kCmpLegacy = 1u << 1;
  if (leaf == 0x80000001 && vcpu.cpus > 1) value.ecx |= kCmpLegacy;
  if (leaf == 0x80000008 && vcpu.cpus > 1)
    value.ecx |= core_bits(vcpu.cpus) << 12 | std::min(vcpu.cpus - 1, kMostInAByte);
  if (leaf == 0x8000001d) describe_leaf_8000001d(vcpu, value);
  if (leaf == 0x8000001e && model.defines(leaf)) value = {vcpu.apic_id, vcpu.apic_id & 0xff, 0, 0};
}

}  // namespace

bool follows_amd(const CpuModel& model) {
  const u32 start = model.leaf(0, 0).ebx;
  return start == load<u32>("Auth") || start == load<u32>("Hygo");
}

void describe_topology(const CpuModel& model, u32 leaf, u32 subleaf, const CpuidContext& vcpu,
                       CpuidLeaf& value) {
  switch (leaf) {
    case 1:
      return describe_leaf_1(follows_amd(model), vcpu, value);
    case 4:
      return describe_leaf_4(vcpu, value);
    case 11:
      if (model.has(Feature::kX2apic)) value = extended_topology(subleaf, vcpu);
      return;
    case 0x80000001:
    case 0x80000008:
    case 0x8000001d:
    case 0x8000001e:
      if (follows_amd(model)) describe_amd_leaf(model, leaf, vcpu, value);
      return;
    default:
      return;
  }
}

}  // namespace kite
