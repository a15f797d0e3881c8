// `--cpu-affinity` on a host that has it: what the vCPUs' threads are bound to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>

#include "machine/vcpu_thread.h"
#include "tests/machine/run_fake.h"

namespace kite {
namespace {

using testing::HasSubstr;

HostCpuSet cpus_of_this_thread() {
  return host::allowed_cpus().value_or(HostCpuSet{});  // sched_getaffinity(0): the calling thread
}

TEST(CpuAffinityOfThreads, EachVcpusThreadRunsWhereItsSetSays) {
  const HostCpuSet allowed = cpus_of_this_thread();
  ASSERT_FALSE(allowed.empty());
  MachineConfig config = test::fake_config();
  config.cpus = 2;
  config.affinity.sets = {{allowed.front()}, {allowed.back()}};
  std::mutex mutex;
  std::vector<HostCpuSet> seen(2);
  std::atomic<int> reported{0};
  const Outcome outcome = test::run_fake(config, [&](test::FakeVcpu& vcpu) -> Result<Exit> {
    const unsigned index = VcpuThread::current()->index();
    if (vcpu.runs == 1) {
      std::lock_guard lock(mutex);
      seen[index] = cpus_of_this_thread();
      ++reported;
    }
    if (reported == 2) vcpu.out(0xf4, 0);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << outcome.reason;
  EXPECT_EQ(seen[0], config.affinity.sets[0]);
  EXPECT_EQ(seen[1], config.affinity.sets[1]);
}

TEST(CpuAffinityOfThreads, WithoutTheOptionAThreadMayRunAnywhere) {
  HostCpuSet seen;
  test::run_fake([&](test::FakeVcpu& vcpu) -> Result<Exit> {
    seen = cpus_of_this_thread();
    vcpu.out(0xf4, 0);
    return vcpu.spin();
  });
  EXPECT_EQ(seen, cpus_of_this_thread());
}

TEST(CpuAffinityOfThreads, AProcessorThatDoesNotExistIsNamed) {
  const unsigned usable = cpus_of_this_thread().front();
  const Result<> checked = check_cpu_affinity({{{usable}, {8000}}}, 2);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(checked.error().message, HasSubstr("no host processor 8000; this host has"));
}

// As in a container with a cpuset: this thread gives up all but one processor.
TEST(CpuAffinityOfThreads, AProcessorThatThisProcessMayNotUseIsNamed) {
  const HostCpuSet allowed = cpus_of_this_thread();
  if (allowed.size() < 2) GTEST_SKIP() << "this process may use one processor only";
  ASSERT_TRUE(pin_this_thread({allowed.front()}));
  const Result<> checked = check_cpu_affinity({{{allowed.back()}}}, 1);
  ASSERT_TRUE(pin_this_thread(allowed));
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(checked.error().message,
              HasSubstr(fmt::format("may not use host processor {}", allowed.back())));
}

}  // namespace
}  // namespace kite
