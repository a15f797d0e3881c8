// State in and out, and what probe() says.
#include <filesystem>

#include "tests/accel/filled_state.h"
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

TEST_F(KvmGuest, StateComesBackAsItWasSet) {
  X86State state = test::filled_state();
  state.pending.nmi_blocked = true;
  ASSERT_TRUE(vcpu->set_state(state));
  test::expect_same_registers(vcpu->state(), state);
}

TEST_F(KvmGuest, APendingExceptionIsDeliveredFirst) {
  put(4 * 3, {0x00, 0x20, 0, 0});
  put(0x2000, {0xf4});
  put(kProgram, {0xb0, 0x01, 0xf4});  // mov al, 1; hlt
  X86State state = real_mode();
  state.pending.exception = true;
  state.pending.vector = 3;
  run_to_halt(state);
  EXPECT_EQ(vcpu->state().rip, 0x2001u);
  EXPECT_EQ(vcpu->state().gpr[kRax], 0u);
}

TEST(KvmProbe, AMissingDeviceIsSaidToBeMissing) {
  auto usable = probe_kvm("/nonexistent/kvm");
  ASSERT_FALSE(usable);
  EXPECT_EQ(usable.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(usable.error().message.find("does not exist"), std::string::npos);
}

TEST(KvmProbe, AnotherDeviceIsNoKvm) {
  auto usable = probe_kvm("/dev/null");
  ASSERT_FALSE(usable);
  EXPECT_NE(usable.error().message.find("is not a KVM device"), std::string::npos);
}

}  // namespace
}  // namespace kite
