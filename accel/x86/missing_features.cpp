#include "accel/x86/missing_features.h"

#include "base/result.h"

namespace kite {

std::vector<std::string> missing_features(const CpuModel& seen, const CpuModel& offered) {
  std::vector<std::string> missing;
  for (const FeatureName& known : feature_names())
    if (seen.has(known.feature) && !offered.has(known.feature)) missing.emplace_back(known.name);
  if (has_unnamed_features(seen) && !has_unnamed_features(offered))
    missing.emplace_back("features-without-a-name");  // of a host's processor
  for (const CpuidEntry& entry : seen.cpuid) {
    if (entry.leaf != 13 || entry.subleaf.value_or(0) < 2 || entry.value.eax == 0) continue;
    const CpuidLeaf there = offered.leaf(13, *entry.subleaf);
    if (there.eax != 0 && there.ebx != entry.value.ebx)
      missing.push_back(
          fmt::format("xsave-component-{}-at-{:#x}", *entry.subleaf, entry.value.ebx));
  }
  return missing;
}

}  // namespace kite
