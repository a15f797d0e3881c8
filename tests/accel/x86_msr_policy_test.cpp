#include <gtest/gtest.h>

#include "accel/x86/msr.h"
#include "accel/x86/msr_policy.h"
#include "base/log.h"

namespace kite {
namespace {

TEST(MsrPolicy, WhatKernelsTouchWithoutAskingIsHarmless) {
  for (u32 index : {msr::kSyscfg, msr::kHwcr, msr::kPlatformId, msr::kPerformanceFirst})
    EXPECT_TRUE(is_harmless_msr(index)) << index;
  for (u32 index : {0x12345u, msr::kApicBase, msr::kX2apicFirst, msr::kEfer, 0xffffffffu})
    EXPECT_FALSE(is_harmless_msr(index)) << index;
}

// The only test of this program that lets a guest's MSRs be logged.
TEST(MsrPolicy, EachUnknownRegisterIsLoggedOnceAndAGuestCannotFloodTheLog) {
  EXPECT_FALSE(log_unknown_msr("read", 0x5000, "#GP")) << "the level is not debug";
  log::set_level(log::Level::kDebug);
  EXPECT_TRUE(log_unknown_msr("read", 0x5000, "#GP"));
  EXPECT_FALSE(log_unknown_msr("read", 0x5000, "#GP"));
  EXPECT_FALSE(log_unknown_msr("write", 0x5000, "#GP"));
  int lines = 0;
  for (u32 index = 0x5001; index < 0x6000; ++index) lines += log_unknown_msr("read", index, "#GP");
  log::set_level(log::Level::kInfo);
  EXPECT_EQ(lines, 63);
}

}  // namespace
}  // namespace kite
