#include "accel/x86/host_features.h"

#if defined(__x86_64__)

#include <cpuid.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "accel/x86/registers.h"

namespace kite {
namespace {

// Each leaf is asked once: under a hypervisor CPUID takes microseconds.
u32 host_word(const FeaturePlace& place) {
  struct Leaf {
    u32 leaf, subleaf;
    std::array<u32, 4> registers;
  };
  static std::vector<Leaf> asked;
  static std::mutex mutex;  // guards `asked`
  const std::lock_guard lock(mutex);
  auto found = std::ranges::find_if(asked, [&](const Leaf& known) {
    return known.leaf == place.leaf && known.subleaf == place.subleaf;
  });
  if (found == asked.end()) {
    std::array<u32, 4> regs = {};  // stay so if there is no such leaf
    (void)__get_cpuid_count(place.leaf, place.subleaf, &regs[0], &regs[1], &regs[2], &regs[3]);
    found = asked.insert(asked.end(), {place.leaf, place.subleaf, regs});
  }
  return found->registers[place.reg];
}

u64 host_xcr0() {
  static const u64 value = [] {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return u64{0};
    asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return u64{edx} << 32 | eax;
  }();
  return value;
}

// The part of XCR0 without which the feature's instructions raise #UD.
u64 needed_state(Feature feature) {
  constexpr u64 kVectors = xcr0::kSse | xcr0::kAvx;
  if (feature == Feature::kAvx) return kVectors;
  for (const FeatureDependency& rule : feature_dependencies())
    if (rule.feature == feature && rule.base == Feature::kAvx) return kVectors;
  return feature == Feature::kPku ? xcr0::kPkru : 0;
}

}  // namespace

bool host_has(Feature feature) {
  const FeaturePlace place = place_of(feature);
  const u64 state = needed_state(feature);
  return (host_word(place) >> place.bit & 1) && (host_xcr0() & state) == state;
}

}  // namespace kite

#else

namespace kite {

bool host_has(Feature) {
  return false;
}

}  // namespace kite

#endif
