// 32-bit code on a host whose translated code is 64-bit.
#include "tests/accel/tcg/translator/translated_modes.h"

namespace kite {
namespace {

class Translated32 : public TranslatedModes {
 protected:
  Translated32() {
    state_.cr4 |= cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kOsxsave;
    state_.fpu.xcr0 = 7;
    for (unsigned i = 0; i < 16; ++i)
      for (unsigned byte = 0; byte < 32; ++byte)
        state_.fpu.zmm[i][byte] = static_cast<u8>(0x11 * i + byte);
  }
};

// An exception was not masked, so the handler executes it; behind it there is none.
TEST_F(Translated32, AFldcwThatMasksAllReadsItsDeviceOnce) {
  class Words final : public IoHandler {
   public:
    u64 read(u64, unsigned) override { return ++reads, 0x37f; }
    void write(u64, u64, unsigned) override {}
    int reads = 0;
  } device;
  constexpr Gpa kDevice = 0xd0000000;
  {
    AddressSpace::Edit edit(space_);
    edit.map(
        {.start = kDevice, .size = kPageSize, .region = Region::mmio("words", kPageSize, device)});
  }
  state_.fpu.fcw = 0x37b;
  gpr(kRbx) = kDevice;
  const X86State after = run({0xd9, 0x2b, 0xd9, 0xe8});  // fldcw [ebx]; fld1
  EXPECT_EQ(after.fpu.fcw, 0x37f);
  EXPECT_EQ(device.reads, 1);
}

TEST_F(Translated32, VexWDoesNotWidenGeneralRegisters) {
  gpr(kRdx) = 0x80000001;
  gpr(kRcx) = 4;
  // shrx eax, edx, ecx; sarx ebx, edx, ecx; vmovd esi, xmm1, all with VEX.W
  const X86State after = run(
      {0xc4, 0xe2, 0xf3, 0xf7, 0xc2, 0xc4, 0xe2, 0xf2, 0xf7, 0xda, 0xc4, 0xe1, 0xf9, 0x7e, 0xce});
  EXPECT_EQ(after.gpr[kRax], 0x08000000u);
  EXPECT_EQ(after.gpr[kRbx], 0xf8000000u);
  EXPECT_EQ(after.gpr[kRsi], load<u32>(state_.fpu.zmm[1].data()));
}

TEST_F(Translated32, VzeroallLeavesRegistersThatDoNotExist) {
  X86State after = run({0xc5, 0xf0, 0x57, 0xc1, 0xc5, 0xf8, 0x77});  // vxorps; vzeroupper
  EXPECT_EQ(after.fpu.zmm[8], state_.fpu.zmm[8]);
  EXPECT_EQ(load<u64>(&after.fpu.zmm[7][16]), 0u);
  after = run({0xc5, 0xfc, 0x77});  // vzeroall
  EXPECT_EQ(after.fpu.zmm[8], state_.fpu.zmm[8]);
  EXPECT_EQ(load<u64>(&after.fpu.zmm[7][0]), 0u);
}

TEST_F(Translated32, CodeIsNotStoredThroughCs) {
  gpr(kRbx) = kData;
  const X86State after = run({0x2e, 0x8b, 0x03, 0x2e, 0x89, 0x03});  // mov eax, cs:[ebx] and back
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(word(after, 1), kCode + 3);
}

TEST_F(Translated32, IncAndDecKeepCarryAndPushesAre32BitsWide) {
  gpr(kRax) = 0xffffffff;
  const X86State after = run({0xf9, 0x40, 0x50, 0x0f, 0x92, 0xc1});  // stc; inc; push; setc cl
  EXPECT_EQ(after.gpr[kRax], 0u);
  EXPECT_EQ(after.gpr[kRcx], 1u);
  EXPECT_EQ(after.gpr[kRsp], kStack - 4);
}

}  // namespace
}  // namespace kite
