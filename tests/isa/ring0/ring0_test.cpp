// Ring 0 in the interpreter against guests of KVM. KITE_RING0_CASES says how many cases,
// KITE_RING0_SEED which; KITE_RING0_CASE runs a single one again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "tests/isa/ring0/campaign.h"
#include "tests/isa/ring0/generate.h"

namespace kite::ring0 {
namespace {

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

TEST(Ring0, AgreesWithKvmOrTheManualSaysWhyNot) {
  const u64 seed = from_environment("KITE_RING0_SEED", 1);
  const u64 cases = from_environment("KITE_RING0_CASES", 1'000);
  const u64 only = from_environment("KITE_RING0_CASE", ~u64{0});
  auto campaign = Campaign::create(seed);
  if (!campaign) GTEST_SKIP() << campaign.error().message;
  const auto start = std::chrono::steady_clock::now();
  const u64 first = only == ~u64{0} ? 0 : only;
  const u64 end = only == ~u64{0} ? cases : only + 1;
  for (u64 number = first; number < end; ++number) (*campaign)->run(number);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const Campaign& c = **campaign;
  std::fputs(c.summary().c_str(), stdout);
  std::fputs(fmt::format("seed {}: {} cases of {} families, {} not judged, {} differ as reviewed, "
                         "{} otherwise; {:.0f} cases/s\n",
                         seed, c.cases(), family_names().size(), c.unjudged(), c.forgiven(),
                         c.unexplained(), static_cast<double>(c.cases()) / seconds.count())
                 .c_str(),
             stdout);
  if (c.unexplained() && !c.is_kvm_of_the_list())
    GTEST_SKIP()
        << "the list was reviewed beside a KVM that interprets ring 0, on an Intel host; what "
           "this one does otherwise waits for a reader:\n"
        << c.report();
  EXPECT_EQ(c.unexplained(), 0u) << c.report();
}

TEST(Ring0, CasesFollowFromSeedAndNumber) {
  const CpuModel model = *find_cpu_model("max");
  Case one, other;
  for (u64 number = 0; number < 200; ++number) {
    generate(7, number, model, one);
    generate(8, number, model, other);
    generate(7, number, model, other);
    ASSERT_EQ(one.ram, other.ram) << number;
    ASSERT_EQ(one.state.gpr, other.state.gpr) << number;
    ASSERT_EQ(one.name, other.name);
  }
}

}  // namespace
}  // namespace kite::ring0
