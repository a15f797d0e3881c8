// CpuModel: which processor the guest sees, as data. The same model under every accelerator.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

// A CPUID feature bit; the list and its names stand in cpu_model.cpp.
enum class Feature : u16;

struct CpuidLeaf {
  u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
  bool operator==(const CpuidLeaf&) const = default;
};

struct CpuidEntry {
  u32 leaf;
  std::optional<u32> subleaf;  // none: the same for every ECX
  CpuidLeaf value;
};

// A named processor. CPUID is answered from this table only; what the host has never shows.
struct CpuModel {
  std::string name;
  std::vector<CpuidEntry>
      cpuid;                   // bits that follow CR4, XCR0 or the APIC ID are filled in per vCPU
  u64 tsc_hz = 1'000'000'000;  // the guest's TSC, and what CPUID says of it
  unsigned physical_address_bits = 40;
  unsigned linear_address_bits = 48;

  CpuidLeaf leaf(u32 leaf, u32 subleaf) const;  // zeros where nothing is defined
};

std::vector<std::string_view> cpu_model_names();
// "NAME[,+feature][,-feature]". Errors name the closest existing name.
Result<CpuModel> find_cpu_model(std::string_view text);

}  // namespace kite
