// Why a host's /dev/kvm is not usable: each reason is its own sentence.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "accel/kvm/abi.h"
#include "accel/kvm/device.h"

namespace kite::kvm {
namespace {

using testing::HasSubstr;

std::string complaint(const std::string& path, Control control = real_ioctl) {
  const Result<Device> device = open_device(path, control);
  if (device) return "";
  EXPECT_EQ(device.error().kind, ErrorKind::kUnavailable);
  return device.error().message;
}

TEST(KvmDevice, ThatDoesNotExist) {
  EXPECT_THAT(complaint("/nonexistent/kvm"), HasSubstr("does not exist: the kernel has no KVM"));
}

TEST(KvmDevice, ThatIsAnotherDeviceOrAFile) {
  EXPECT_EQ(complaint("/dev/null"), "/dev/null is not a KVM device");
  EXPECT_EQ(complaint("/dev/zero"), "/dev/zero is not a KVM device");
}

// A device node whose number no driver has: made by root, elsewhere the open itself is refused.
TEST(KvmDevice, ThatHasNoDriver) {
  char directory[] = "/tmp/kite-kvm-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/kvm";
  constexpr unsigned kMisc = 10, kUnusedMinor = 199;
  const bool made = ::mknod(path.c_str(), S_IFCHR | 0600, makedev(kMisc, kUnusedMinor)) == 0;
  const std::string said = made ? complaint(path) : "";
  std::filesystem::remove_all(directory);
  if (!made) GTEST_SKIP() << "this process may not make device nodes";
  if (said.find("may not be opened") != std::string::npos)
    GTEST_SKIP() << "this container opens no device nodes";
  EXPECT_THAT(said, HasSubstr("has no driver behind it: the processor offers no virtualization"));
}

// The parent checks what a child without rights was told.
TEST(KvmDevice, ThatThisUserMayNotOpen) {
  char path[] = "/tmp/kite-kvm-XXXXXX";
  const UniqueFd file(::mkstemp(path));
  ASSERT_TRUE(file.valid());
  ::fchmod(file.get(), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::getuid() == 0 && ::setuid(kNobody) != 0) ::_exit(2);
    const std::string said = complaint(path);
    ::_exit(said.find("may not be opened by this user: it usually belongs to the group 'kvm'") ==
            std::string::npos);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::unlink(path);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "this process may not become another user";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(KvmDevice, ThatSpeaksAnotherVersion) {
  EXPECT_EQ(complaint("/dev/null", [](int, unsigned long, unsigned long) { return 10; }),
            "/dev/null speaks KVM API version 10, Kite needs 12");
}

// An old kernel, which has all but one.
template <int missing>
int old_kernel(int, unsigned long request, unsigned long argument) {
  if (request == KVM_GET_API_VERSION) return KVM_API_VERSION;
  return argument == missing ? 0 : 1;
}

TEST(KvmDevice, ThatLacksACapability) {
  EXPECT_EQ(complaint("/dev/null", old_kernel<KVM_CAP_IMMEDIATE_EXIT>),
            "/dev/null lacks KVM_CAP_IMMEDIATE_EXIT: the host's kernel is too old");
  EXPECT_EQ(complaint("/dev/null", old_kernel<KVM_CAP_VCPU_EVENTS>),
            "/dev/null lacks KVM_CAP_VCPU_EVENTS: the host's kernel is too old");
}

}  // namespace
}  // namespace kite::kvm
