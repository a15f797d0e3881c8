// What `--cpu-affinity` may say.
#include "machine/cpu_affinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kite {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<HostCpuSet> parsed(std::string_view text) {
  const Result<CpuAffinity> affinity = parse_cpu_affinity(text);
  EXPECT_TRUE(affinity) << text;
  return affinity ? affinity->sets : std::vector<HostCpuSet>{};
}

TEST(CpuAffinity, ASetIsAListAndSetsAreSeparatedByColons) {
  EXPECT_THAT(parsed("3"), ElementsAre(HostCpuSet{3}));
  EXPECT_THAT(parsed("0,2-4"), ElementsAre(HostCpuSet{0, 2, 3, 4}));
  EXPECT_THAT(parsed("0:1"), ElementsAre(HostCpuSet{0}, HostCpuSet{1}));
  EXPECT_THAT(parsed("4-5,0:1,1,1"), ElementsAre(HostCpuSet{0, 4, 5}, HostCpuSet{1}));
}

TEST(CpuAffinity, WhatIsNoListIsAUsageErrorThatNamesTheWord) {
  for (std::string_view text : {"", "a", "0,", ",0", "0:", ":0", "0-", "-1", "1-2-3", "0x1", " 1",
                                "8192", "99999999999", "0-8192"}) {
    const Result<CpuAffinity> affinity = parse_cpu_affinity(text);
    ASSERT_FALSE(affinity) << text;
    EXPECT_EQ(affinity.error().kind, ErrorKind::kUsage) << text;
    EXPECT_THAT(affinity.error().message, HasSubstr("--cpu-affinity: '")) << text;
  }
  const Result<CpuAffinity> backwards = parse_cpu_affinity("3-1");
  ASSERT_FALSE(backwards);
  EXPECT_THAT(backwards.error().message, HasSubstr("'3-1' runs backwards"));
}

TEST(CpuAffinity, OneSetIsForEveryVcpuAndSeveralAreInTurn) {
  const CpuAffinity one{{{2, 3}}}, two{{{0}, {1}}}, none;
  EXPECT_THAT(one.of(0), ElementsAre(2, 3));
  EXPECT_THAT(one.of(7), ElementsAre(2, 3));
  EXPECT_THAT(two.of(1), ElementsAre(1));
  EXPECT_THAT(none.of(0), IsEmpty());
}

TEST(CpuAffinity, TheNumberOfSetsMustBeThatOfVcpus) {
  const Result<> checked = check_cpu_affinity({{{0}, {0}}}, 3);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(checked.error().message, HasSubstr("2 sets of host processors for --cpus 3"));
  EXPECT_TRUE(check_cpu_affinity({}, 3));
}

// On Linux because there is none of that number, elsewhere because the host has no such call.
TEST(CpuAffinity, AHostProcessorThatDoesNotExistIs69) {
  const Result<> checked = check_cpu_affinity({{{8191}}}, 1);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace kite
