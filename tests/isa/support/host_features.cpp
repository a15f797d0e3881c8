#include "tests/isa/support/host_features.h"

#include <algorithm>
#include <set>
#include <span>

#include "accel/x86/registers.h"
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

#if defined(__x86_64__)

u64 host_xcr0() {
  unsigned eax, ebx, ecx, edx;
  constexpr unsigned kOsxsave = 1u << 27;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & kOsxsave)) return 0;
  asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return u64{edx} << 32 | eax;
}

// The part of XCR0 without which the feature's instructions raise #UD.
u64 needed_state(Feature feature) {
  constexpr u64 kVectors = xcr0::kSse | xcr0::kAvx;
  if (feature == Feature::kAvx) return kVectors;
  for (const FeatureDependency& rule : feature_dependencies())
    if (rule.feature == feature && rule.base == Feature::kAvx) return kVectors;
  return feature == Feature::kPku ? xcr0::kPkru : 0;
}

#endif

}  // namespace

#if defined(__x86_64__)
bool host_has(Feature feature) {
  const FeaturePlace place = place_of(feature);
  unsigned registers[4] = {};
  if (!__get_cpuid_count(place.leaf, place.subleaf, &registers[0], &registers[1], &registers[2],
                         &registers[3]))
    return false;
  const u64 state = needed_state(feature);
  return (registers[place.reg] >> place.bit & 1) && (host_xcr0() & state) == state;
}

bool host_is_intel() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_INTEL_ebx;
}
#else
bool host_has(Feature) {
  return false;
}
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
