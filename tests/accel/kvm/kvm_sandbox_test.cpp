// What a sandboxed machine opens when it goes on in KVM.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>

#include "accel/kvm/requests.h"
#include "machine/sandbox.h"

namespace kite::kvm {
namespace {

// In a process of its own, for a sandbox is for good.
[[noreturn]] void open_in_sandbox(const FixedName& (*name)()) {
  if (!sandbox::enter(sandbox::Thread::kIo)) std::exit(1);
  const int file = ::open(name().c_str(), O_RDONLY | O_CLOEXEC);
  std::exit(file >= 0 || errno != EACCES ? 9 : 10);
}

// Else every host looked as if KVM shadowed page tables there, which makes the fall-back timid.
TEST(KvmSandboxDeathTest, AMachineMayAskWhetherTheProcessorWalksTheGuestsPageTables) {
  if (const std::string why = sandbox::why_not(); !why.empty()) GTEST_SKIP() << why;
  EXPECT_EXIT(open_in_sandbox(ept_parameter), ::testing::ExitedWithCode(9), "");
  EXPECT_EXIT(open_in_sandbox(npt_parameter), ::testing::ExitedWithCode(9), "");
}

}  // namespace
}  // namespace kite::kvm
