#include <gtest/gtest.h>

#include "accel/x86/host_features.h"

namespace kite {
namespace {

// The compiler's runtime library asks CPUID and XCR0 itself.
TEST(HostFeatures, AreWhatTheCompilersLibraryFinds) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  EXPECT_EQ(host_has(Feature::kSse42), __builtin_cpu_supports("sse4.2") != 0);
  EXPECT_EQ(host_has(Feature::kPopcnt), __builtin_cpu_supports("popcnt") != 0);
  EXPECT_EQ(host_has(Feature::kAvx), __builtin_cpu_supports("avx") != 0);
  EXPECT_EQ(host_has(Feature::kAvx2), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(host_has(Feature::kFma), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(host_has(Feature::kBmi2), __builtin_cpu_supports("bmi2") != 0);
#else
  EXPECT_FALSE(host_has(Feature::kSse2));
#endif
}

TEST(HostFeatures, OfALeafThatIsNotThereAreAbsent) {
  EXPECT_FALSE(host_has(Feature::kKvmClock));  // CPUID 40000001h is the hypervisor's
}

}  // namespace
}  // namespace kite
