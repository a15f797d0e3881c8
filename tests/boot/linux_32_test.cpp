// 32-bit kernels, and 32-bit programs under the 64-bit one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/boot/linux_guest.h"

namespace kite::test {
namespace {

using testing::HasSubstr;

class Linux32 : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override {
    if (find_kernel(GetParam()).empty()) GTEST_SKIP() << how_to_get_kernels();
  }
};

std::string name_of(const testing::TestParamInfo<Kernel>& info) {
  switch (info.param) {
    case Kernel::k686:
      return "i686";
    case Kernel::k686Pae:
      return "i686_pae";
    default:
      return "x86_64";
  }
}

TEST_P(Linux32, BusyboxForI386RunsAScriptAndPowersOff) {
  const std::string initramfs = busybox_i386_initramfs();
  if (initramfs.empty()) GTEST_SKIP() << "no initramfs-i386.gz; tests/boot/prepare makes it";
  const ProgramRun run = boot({.kernel = GetParam(), .initramfs = initramfs});
  EXPECT_EQ(run.status, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("kite: user space is up: Linux ")) << run.err;
}

INSTANTIATE_TEST_SUITE_P(Every, Linux32,
                         testing::Values(Kernel::k686, Kernel::k686Pae, Kernel::kCloud), name_of);

}  // namespace
}  // namespace kite::test
