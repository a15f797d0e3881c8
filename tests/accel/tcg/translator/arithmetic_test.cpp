// Instructions that fault on the host's processor in the guest's place, or that it has and the
// guest has not.
#include "tests/accel/tcg/translator/translated_modes.h"

namespace kite {
namespace {

class TranslatedArithmetic : public TranslatedModes {
 protected:
  TranslatedArithmetic() {
    enter_long_mode();
    state_.cr4 |= cr4::kOsfxsr | cr4::kOsxmmexcpt;
  }
  void set_float(unsigned number, u32 value) { store<u32>(state_.fpu.zmm[number].data(), value); }
  static u32 float_of(const X86State& state, unsigned number) {
    return load<u32>(state.fpu.zmm[number].data());
  }
};

TEST_F(TranslatedArithmetic, ADivisionByZeroLeavesTheRegisters) {
  for (unsigned divisor : {kRcx, kR13}) {  // in place, and spilled
    gpr(kRax) = 17;
    gpr(kRdx) = 0;
    gpr(divisor) = 0;
    const u8 rex = divisor == kRcx ? 0x48 : 0x49;
    const u8 modrm = divisor == kRcx ? 0xf1 : 0xf5;
    const X86State after = run({0xff, 0xc3, rex, 0xf7, modrm});  // inc ebx; div
    EXPECT_EQ(vector_of(after), kDivideError);
    EXPECT_EQ(quad(after, 0), kCode + 2);
    EXPECT_EQ(after.gpr[kRax], 17u);
    EXPECT_EQ(after.gpr[kRbx], 1u);
  }
}

TEST_F(TranslatedArithmetic, AnUnmaskedExceptionIsRaisedAndNoted) {
  state_.fpu.mxcsr = 0x1f80 & ~(1u << 9);  // division by zero
  set_float(0, 0x3f800000);
  set_float(1, 0);
  const X86State after = run({0xf3, 0x0f, 0x5e, 0xc1});  // divss xmm0, xmm1
  EXPECT_EQ(vector_of(after), 19);
  EXPECT_EQ(quad(after, 0), kCode);
  EXPECT_EQ(after.fpu.mxcsr, state_.fpu.mxcsr | 4);
  EXPECT_EQ(float_of(after, 0), 0x3f800000u);
}

TEST_F(TranslatedArithmetic, DenormalsAreZerosWhereTheGuestSaysSo) {
  set_float(0, 0x00800000);  // the smallest that is normal
  set_float(1, 0x3f000000);  // 0.5
  set_float(2, 0x00000001);
  set_float(3, 0x7f000000);
  const Bytes code = {0xf3, 0x0f, 0x59, 0xc1, 0xf3, 0x0f, 0x59, 0xd3};  // mulss 0, 1; mulss 2, 3
  X86State after = run(code);
  EXPECT_EQ(float_of(after, 0), 0x00400000u);
  EXPECT_NE(float_of(after, 2), 0u);
  state_.fpu.mxcsr = 0x1f80 | 1u << 15 | 1u << 6;
  after = run(code);
  EXPECT_EQ(float_of(after, 0), 0u);
  EXPECT_EQ(float_of(after, 2), 0u);
}

TEST_F(TranslatedArithmetic, AnOperandThatIsNotAlignedIsAFault) {
  gpr(kRbx) = kData + 8;
  const X86State after = run({0x0f, 0x28, 0x03});  // movaps xmm0, [rbx]
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(quad(after, 1), kCode);
}

// Upper halves come along only where one of them is not 0.
TEST_F(TranslatedArithmetic, AnyBitOfAnUpperHalfIsKept) {
  for (unsigned number = 0; number < 16; ++number)
    for (unsigned byte : {16, 23, 24, 31}) {
      state_.fpu.zmm = {};
      state_.fpu.zmm[number][byte] = 0x80;
      const X86State after = run({0x66, 0x0f, 0x6f, 0xc1});  // movdqa xmm0, xmm1
      EXPECT_EQ(after.fpu.zmm, state_.fpu.zmm) << "YMM" << number << ", byte " << byte;
    }
}

class TranslatedOldModel : public TranslatedModes {
 protected:
  TranslatedOldModel() : TranslatedModes("x86-64-v2") { enter_long_mode(); }
};

TEST_F(TranslatedOldModel, F3BeforeBsfIsIgnored) {
  gpr(kRbx) = 0;
  gpr(kRax) = 0x1234;
  // What is TZCNT rax, rbx on a model that has it: BSF of 0 leaves its destination.
  EXPECT_EQ(run({0xf3, 0x48, 0x0f, 0xbc, 0xc3}).gpr[kRax], 0x1234u);
}

}  // namespace
}  // namespace kite
