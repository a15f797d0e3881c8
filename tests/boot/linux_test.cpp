// Real distribution kernels, booted to user space, and every way a run of theirs can end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "memory/backend.h"
#include "tests/boot/linux_guest.h"
#include "tests/paths.h"

namespace kite::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kMarker = "user space is there";

std::string words_of(const ProgramRun& run) {
  return "stdout:\n" + run.out + "\nstderr:\n" + run.err;
}

bool has_backend(const std::string& name) {
  const auto list = backends();
  return std::any_of(list.begin(), list.end(), [&](const auto& each) { return each.name == name; });
}

#define SKIP_WITHOUT(kernel)                                             \
  if (find_kernel(kernel).empty()) GTEST_SKIP() << how_to_get_kernels(); \
  if (!std::filesystem::exists(paths::kBootInit))                        \
    GTEST_SKIP() << "built without a compiler for x86-64 guests: " << paths::kBootInit;

class LinuxBoot : public testing::TestWithParam<std::tuple<Kernel, std::string>> {};

TEST_P(LinuxBoot, ReachesUserSpaceAndPowersOff) {
  const auto& [kernel, backend] = GetParam();
  SKIP_WITHOUT(kernel);
  if (!has_backend(backend)) {
    GTEST_SKIP() << "this host has no " << backend << " back end";
  }
  std::string option = backend;
  if (backend == "file") option += ",mem-path=" + testing::TempDir();
  const ProgramRun run = boot({.kernel = kernel, .options = {"--memory-backend", option}});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr(kMarker)) << run.err;
}

INSTANTIATE_TEST_SUITE_P(Every, LinuxBoot,
                         testing::Combine(testing::Values(Kernel::kCloud, Kernel::kGeneric),
                                          testing::Values("memfd", "shm", "ram", "file")),
                         [](const auto& info) {
                           return (std::get<0>(info.param) == Kernel::kCloud ? "cloud_on_"
                                                                             : "generic_on_") +
                                  std::get<1>(info.param);
                         });

class LinuxProcessors : public testing::TestWithParam<unsigned> {};

TEST_P(LinuxProcessors, AllComeUp) {
  SKIP_WITHOUT(Kernel::kCloud);
  const std::string count = std::to_string(GetParam());
  const ProgramRun run = boot({.append = "loglevel=7", .options = {"--cpus", count}});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("Brought up 1 node, " + count + " CPUs")) << run.err;
  EXPECT_THAT(run.out, HasSubstr(kMarker)) << run.err;
  EXPECT_THAT(run.out, Not(HasSubstr("TSC synchronization"))) << run.err;  // "… measured skew"
  for (const auto& complaint : kernel_complaints())
    EXPECT_THAT(run.out, Not(HasSubstr(complaint))) << run.out;
}

INSTANTIATE_TEST_SUITE_P(Several, LinuxProcessors, testing::Values(2u, 4u));

TEST(LinuxOnAPc, FindsNothingToComplainOf) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.append = "loglevel=7", .options = {"--machine", "pc"}});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("ACPI: PCI: Interrupt link LNKA"));
  for (const auto& complaint : kernel_complaints())
    EXPECT_THAT(run.out, Not(HasSubstr(complaint))) << run.out;
}

TEST(LinuxOutcome, AKernelThatLosesInitPanics) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "exit"});
  EXPECT_EQ(run.status, 100) << words_of(run);
  EXPECT_THAT(run.err, HasSubstr("panic"));
}

TEST(LinuxOutcome, AKernelWithoutInitPanics) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.append = "init=/nonexistent rdinit=/nonexistent"});
  EXPECT_EQ(run.status, 100) << words_of(run);
}

TEST(LinuxOutcome, ACrashOnDemandIsAPanicAndEndsTheRunAtOnce) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "crash", .append = "panic=0"});
  EXPECT_EQ(run.status, 100) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr(kMarker));
}

TEST(LinuxOutcome, AResetWithNoRebootEndsTheRun) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "reboot", .options = {"--no-reboot"}});
  EXPECT_EQ(run.status, 104) << words_of(run);
}

TEST(LinuxOutcome, AResetStartsTheKernelAnew) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "reboot-once"});
  EXPECT_EQ(run.status, 0) << words_of(run);
  const auto first = run.out.find(kMarker);
  EXPECT_NE(run.out.find(kMarker, first + 1), run.out.npos) << words_of(run);
}

TEST(LinuxOutcome, AHaltedKernelIsADeadHalt) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "halt"});
  EXPECT_EQ(run.status, 103) << words_of(run);
}

TEST(LinuxOutcome, ARebootByTripleFaultIsATripleFault) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "reboot", .append = "reboot=triple,force"});
  EXPECT_EQ(run.status, 101) << words_of(run);
}

TEST(LinuxOutcome, AnIdleGuestRunsIntoTheTimeout) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "sleep", .limit_seconds = 30});
  EXPECT_EQ(run.status, 102) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr(kMarker));
}

TEST(LinuxOutcome, ExpectedTextEndsTheRunWithSuccess) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "spin", .options = {"--expect", "user space is .*"}});
  EXPECT_EQ(run.status, 0) << words_of(run);
}

TEST(LinuxOutcome, TextToFailOnEndsTheRunAtOnce) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "spin", .options = {"--fail-on", "user space"}});
  EXPECT_EQ(run.status, 106) << words_of(run);
}

// There is no firmware: Kite itself goes on at the guest's waking vector.
TEST(LinuxGuest, SuspendsToRamAndTheAlarmWakesBothProcessors) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "suspend", .options = {"--cpus", "2"}});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("back from suspend to RAM")) << words_of(run);
  EXPECT_THAT(run.err, HasSubstr("the guest wakes up"));
  for (const auto& complaint : kernel_complaints())
    EXPECT_THAT(run.out, Not(HasSubstr(complaint))) << run.out;
}

TEST(LinuxGuest, SeesTheMemoryItWasGiven) {
  SKIP_WITHOUT(Kernel::kCloud);
  const ProgramRun run = boot({.action = "sysinfo", .memory = "512M"});
  EXPECT_EQ(run.status, 0) << words_of(run);
  const auto at = run.out.find("RAM in bytes: ");
  ASSERT_NE(at, run.out.npos) << words_of(run);
  const auto bytes = std::stoull(run.out.substr(at + 14));
  EXPECT_GT(bytes, 400u * MiB);
  EXPECT_LE(bytes, 512u * MiB);
}

}  // namespace
}  // namespace kite::test
