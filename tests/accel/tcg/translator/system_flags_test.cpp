// PUSHF and CLI, which translated code does itself at CPL 0.
#include "tests/accel/tcg/translator/translated_modes.h"

namespace kite {
namespace {

class TranslatedSystemFlags : public TranslatedModes {
 protected:
  static constexpr u64 kSet = rflags::kFixed | rflags::kIf | rflags::kIopl | rflags::kAc |
                              rflags::kNt | rflags::kId | rflags::kCf | rflags::kSf | rflags::kOf;
  static constexpr u64 kPage = 0x70000;  // linear
};

TEST_F(TranslatedSystemFlags, PushfStoresAllOfThemAndChangesNone) {
  enter_long_mode();
  state_.rflags = kSet | rflags::kRf;
  const X86State after = run({0x9c, 0x9c});
  EXPECT_EQ(after.gpr[kRsp], kStack - 16);
  EXPECT_EQ(get64(kStack - 8), kSet);
  EXPECT_EQ(get64(kStack - 16), kSet);
  EXPECT_EQ(after.rflags & ~u64{rflags::kRf}, kSet);
}

TEST_F(TranslatedSystemFlags, CliClearsIfAndNothingElse) {
  enter_long_mode();
  state_.rflags = kSet;
  const X86State after = run({0x9c, 0xfa, 0x9c});  // pushf; cli; pushf
  EXPECT_EQ(get64(kStack - 8), kSet);
  EXPECT_EQ(get64(kStack - 16), kSet & ~u64{rflags::kIf});
  EXPECT_EQ(after.rflags, kSet & ~u64{rflags::kIf});
}

TEST_F(TranslatedSystemFlags, AFaultBehindCliHasItsFlags) {
  enter_long_mode();
  map_small(kPage, 0);
  gpr(kRbx) = kPage;
  state_.rflags = kSet;
  const X86State after = run({0xfa, 0x8b, 0x03});  // cli; mov eax, [rbx]
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(quad(after, 3), (kSet & ~u64{rflags::kIf}) | rflags::kRf);
}

// Where the slow way is taken, once the host's flags have been looked at.
TEST_F(TranslatedSystemFlags, APushfOntoAPageWithCodeIsTheSame) {
  enter_long_mode();
  state_.rflags = kSet;
  gpr(kRsp) = kCode + 0x800;
  run({0xfa, 0x9c});
  EXPECT_EQ(get64(kCode + 0x7f8), kSet & ~u64{rflags::kIf});
}

TEST_F(TranslatedSystemFlags, In32BitCodePushfIsOfFourBytes) {
  state_.rflags = kSet;
  const X86State after = run({0x9c, 0xfa, 0x9c});
  EXPECT_EQ(after.gpr[kRsp], kStack - 8);
  EXPECT_EQ(get32(kStack - 4), kSet);
  EXPECT_EQ(get32(kStack - 8), kSet & ~u64{rflags::kIf});
}

TEST_F(TranslatedSystemFlags, AProgramMayNotClearIf) {
  enter_long_mode();
  enter_level3(kCode64User);
  state_.rflags = rflags::kFixed | rflags::kIf;
  const X86State after = run({0xfa});
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(quad(after, 3) & rflags::kIf, u64{rflags::kIf});
}

}  // namespace
}  // namespace kite
