// 32-bit kernels, and 32-bit programs under the 64-bit one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/boot/linux_guest.h"
#include "tests/paths.h"

namespace kite::test {
namespace {

using testing::HasSubstr;

class Linux32 : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override {
    if (find_kernel(GetParam()).empty()) GTEST_SKIP() << how_to_get_kernels();
  }
};

class Linux32Program : public Linux32 {};

std::string name_of(const testing::TestParamInfo<Kernel>& info) {
  switch (info.param) {
    case Kernel::k686:
      return "i686";
    case Kernel::k686Pae:
      return "i686_pae";
    case Kernel::kGeneric:
      return "x86_64_generic";
    default:
      return "x86_64_cloud";
  }
}

TEST_P(Linux32, BusyboxForI386RunsAScriptAndPowersOff) {
  const std::string initramfs = busybox_i386_initramfs();
  if (initramfs.empty()) GTEST_SKIP() << "no initramfs-i386.gz; tests/boot/prepare makes it";
  const ProgramRun run = boot({.kernel = GetParam(), .initramfs = initramfs});
  EXPECT_EQ(run.status, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("kite: user space is up: Linux ")) << run.err;
}

// Also without a guest: what it expects is what the host's kernel and processor do.
TEST(Linux32Checks, HoldOnTheHostToo) {
  if (!std::filesystem::exists(paths::kBootCheck32))
    GTEST_SKIP() << "built without a compiler for x86-64 guests: " << paths::kBootCheck32;
  const ProgramRun run = run_program({paths::kBootCheck32}, 60);
  if (run.out.empty())
    GTEST_SKIP() << "this host runs no 32-bit programs (status " << run.status << ")";
  EXPECT_THAT(run.out, HasSubstr(" 0 failed")) << run.err;
}

TEST_P(Linux32Program, ChecksPass) {
  if (!std::filesystem::exists(paths::kBootCheck32))
    GTEST_SKIP() << "built without a compiler for x86-64 guests: " << paths::kBootCheck32;
  const ProgramRun run = boot({.kernel = GetParam(), .init = paths::kBootCheck32});
  EXPECT_EQ(run.status, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("32-bit checks: ")) << run.err;
  EXPECT_THAT(run.out, HasSubstr(", 0 failed")) << run.out;
}

INSTANTIATE_TEST_SUITE_P(Every, Linux32,
                         testing::Values(Kernel::k686, Kernel::k686Pae, Kernel::kCloud), name_of);
// The cloud kernel is built without modify_ldt, so the generic one stands for 64-bit kernels.
INSTANTIATE_TEST_SUITE_P(Every, Linux32Program, testing::Values(Kernel::k686Pae, Kernel::kGeneric),
                         name_of);

}  // namespace
}  // namespace kite::test
