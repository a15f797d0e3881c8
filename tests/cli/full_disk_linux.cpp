// A full disk under the file back end, made with a tmpfs of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest_code.h"
#include "program.h"

namespace kite {
namespace {

// In a child: a mount namespace in which `directory` is a disk of 4 MiB.
bool mount_small_disk(const std::string& directory) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return ::mount("kite-test", directory.c_str(), "tmpfs", 0, "size=4m") == 0;
}

bool can_mount(const std::string& directory) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(mount_small_disk(directory) ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(FullDisk, UnderTheFileBackEndIsOneClearLine) {
  ScratchDirectory scratch, disk;
  if (!can_run_guests()) GTEST_SKIP() << "no accelerator is usable on this host";
  if (!can_mount(disk.path(""))) GTEST_SKIP() << "this process may not mount a tmpfs";
  const std::string kernel = scratch.file("guest.bin", guest::exit_port(0));
  for (const char* where : {"", "ram"}) {
    const Finished result =
        run_kite({"run", "--memory", "64M", "--memory-backend", "file,mem-path=" + disk.path(where),
                  "--timeout", "20", kernel},
                 {.in_child = [&] { mount_small_disk(disk.path("")); }});
    EXPECT_EQ(result.signal, 0);
    EXPECT_GE(result.status, 64) << result.err;
    EXPECT_LE(result.status, 74) << result.err;
    ASSERT_EQ(result.complaints().size(), 1u) << result.err;
    EXPECT_THAT(result.complaints()[0], testing::HasSubstr("file"));
  }
}

}  // namespace
}  // namespace kite
