// CpuModel: which processor the guest sees, as data. The same model under every accelerator.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "accel/x86/feature.h"
#include "accel/x86/paging.h"
#include "base/result.h"
#include "base/types.h"

namespace kite {

struct CpuidLeaf {
  u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
  bool operator==(const CpuidLeaf&) const = default;
};

struct CpuidEntry {
  u32 leaf;
  std::optional<u32> subleaf;  // none: the same for every ECX
  CpuidLeaf value;
};

// What CPUID says that is the vCPU's own, not the model's.
struct CpuidContext {
  u32 apic_id = 0;
  u64 cr4 = 0;
  u64 xcr0 = 1;
  u32 cpus = 1;  // of the machine: the cores of its one package
};

// A named processor. CPUID is answered from this table only; what the host has never shows.
struct CpuModel {
  std::string name;
  std::vector<CpuidEntry>
      cpuid;                   // bits that follow CR4, XCR0 or the APIC ID are filled in per vCPU
  u64 tsc_hz = 1'000'000'000;  // the guest's TSC, and what CPUID says of it
  unsigned physical_address_bits = 40;

  // "host": an accelerator that runs guest code on the host's processor takes that one in place of
  // `cpuid`, with these changes. It then has from_host, and leaves 0Dh and 80000008h, which follow
  // from the features in Kite's own models, are the host's.
  struct Change {
    Feature feature;
    bool present;
  };
  bool is_host = false;
  bool from_host = false;
  std::vector<Change> changes;  // +feature and -feature, in the order they were given

  CpuidLeaf leaf(u32 leaf, u32 subleaf) const;  // zeros where nothing is defined
  // The same with the bits that are the vCPU's own: what the CPUID instruction answers.
  CpuidLeaf leaf(u32 leaf, u32 subleaf, const CpuidContext& vcpu) const;

  bool defines(u32 leaf) const;  // some subleaf of it

  bool has(Feature feature) const;
  // Switches what depends on the feature off with it, and what it depends on on with it.
  void set(Feature feature, bool present);

  // The bits of CR4, EFER and XCR0 that the features let a guest set; others raise #GP.
  u64 cr4_bits() const;
  u64 efer_bits() const;
  u64 xcr0_bits() const;
  // Of the addresses it can be made to translate; with CR4.LA57 clear it is 48 all the same.
  unsigned linear_address_bits() const {
    return has(Feature::kLa57) ? kLinearBits5Level : kLinearBits4Level;
  }
};

// Family 15, model 107, stepping 1, as CPUID leaf 1 and EDX after RESET show it.
inline constexpr u32 kProcessorSignature = 0x60fb1;

// Does CPUID offer instructions that have no Feature, as it may for a model taken from the host?
bool has_unnamed_features(const CpuModel& model);

std::vector<std::string_view> cpu_model_names();
// "NAME[,+feature][,-feature]". Errors name the closest existing name.
Result<CpuModel> find_cpu_model(std::string_view text);

}  // namespace kite
