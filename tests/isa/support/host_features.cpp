#include "tests/isa/support/host_features.h"

#include <algorithm>
#include <set>
#include <span>

#include "accel/x86/host_features.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace kite::isa {
namespace {

std::span<const Feature> features_of(const tcg::Row& row) {
  return std::span(row.features).first(row.feature_count);
}

}  // namespace

#if defined(__x86_64__)
bool host_is_intel() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_INTEL_ebx;
}
#else
bool host_is_intel() {
  return false;
}
#endif

#if defined(__x86_64__) && defined(__linux__)
bool host_has_linux_segments() {
  const auto rights = [](unsigned selector) {
    unsigned value = 0;  // stays if LAR refuses the selector
    asm("lar %1, %0" : "+r"(value) : "r"(selector) : "cc");
    return value;
  };
  return rights(0x23) == 0xcffb00 && rights(0x2b) == 0xcff300 && rights(0x33) == 0xaffb00 &&
         rights(0x38) == 0 && rights(0x63) == 0 && rights(0x80) == 0;
}

bool host_enables_fsgsbase() {
  constexpr unsigned long kHwcap2Fsgsbase = 2;
  return ::getauxval(AT_HWCAP2) & kHwcap2Fsgsbase;
}
#else
bool host_has_linux_segments() {
  return false;
}
bool host_enables_fsgsbase() {
  return false;
}
#endif

bool host_has_features_of(const tcg::Row& row) {
  return std::ranges::all_of(features_of(row), host_has);
}

std::string features_the_host_lacks() {
  std::set<Feature> needed;
  for (const tcg::Row& row : tcg::rows())
    for (Feature feature : features_of(row)) needed.insert(feature);
  std::string text;
  for (const FeatureName& known : feature_names())
    if (needed.contains(known.feature) && !host_has(known.feature))
      text.append(text.empty() ? "" : " ").append(known.name);
  return text;
}

CpuModel model_with_everything() {
  CpuModel model = *find_cpu_model("max");
  for (const FeatureName& known : feature_names()) model.set(known.feature, true);
  return model;
}

}  // namespace kite::isa
