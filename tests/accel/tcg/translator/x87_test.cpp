// The x87 unit and MMX in translated code: what the host's registers hold, and what of the guest's
// they cannot.
#include "tests/accel/tcg/translator/translated_modes.h"

namespace kite {
namespace {

constexpr u16 kInvalid = 1, kZeroDivide = 4, kStackBit = 0x40, kC1 = 0x200;
constexpr u64 kOne = 0x3ff0000000000000;  // 1.0

class TranslatedX87 : public TranslatedModes {
 protected:
  TranslatedX87() {
    enter_long_mode();
    state_.cr0 |= cr0::kNe;
    state_.cr4 |= cr4::kOsfxsr | cr4::kOsxsave;
    state_.fpu.fcw = 0x37f;
    state_.fpu.ftw = 0;
    state_.fpu.xcr0 = 3;
    state_.segments[kDs].selector = 0;
    gpr(kRbx) = kData;
    gpr(kRdi) = kOther;
  }
  static int top_of(const X86State& state) { return state.fpu.fsw >> 11 & 7; }
  static u64 significand(const X86State& state, unsigned i) {
    return load<u64>(state.fpu.st[i].data());
  }
};

TEST_F(TranslatedX87, TheStateBehindABlockIsTheProcessors) {
  const X86State after = run({0xd9, 0xe8, 0xd9, 0xeb, 0xdc, 0xc1});  // fld1; fldpi; fadd st1, st0
  EXPECT_EQ(top_of(after), 6);
  EXPECT_EQ(after.fpu.ftw, 0xc0);
  EXPECT_EQ(significand(after, 0), 0xc90fdaa22168c235u);
  EXPECT_EQ(significand(after, 1), 0x8487ed5110b4611au);  // 1 + pi
}

TEST_F(TranslatedX87, FnstenvFindsTheLastInstructionAndItsOperand) {
  put64(kData, kOne);
  run({0xdd, 0x03, 0xd8, 0xc0,    // fld qword [rbx]; fadd st0, st0
       0x89, 0xc0, 0xd9, 0x37});  // mov eax, eax; fnstenv [rdi]
  EXPECT_EQ(get32(kOther + 12), kCode + 2);
  EXPECT_EQ(get16(kOther + 16), kCode0);
  EXPECT_EQ(get32(kOther + 20), kData);
  EXPECT_EQ(get16(kOther + 24), 0);
}

TEST_F(TranslatedX87, AnOperandsPointerHasItsSegment) {
  put64(kStack - 8, kOne);
  X86State after = run({0xdd, 0x44, 0x24, 0xf8});  // fld qword [rsp - 8]
  EXPECT_EQ(after.fpu.fdp, kStack - 8);
  EXPECT_EQ(after.fpu.fds, kData0);
  state_.segments[kFs].base = 0x1000;
  state_.segments[kFs].selector = 0x2b;
  after = run({0x64, 0xdd, 0x43, 0x10});  // fld qword fs:[rbx + 16]
  EXPECT_EQ(after.fpu.fip, kCode);
  EXPECT_EQ(after.fpu.fdp, kData + 16);
  EXPECT_EQ(after.fpu.fds, 0x2b);
}

// It shares a check with the access ahead of it, so it is reached by its page's place in the host.
TEST_F(TranslatedX87, AnOperandThatRipAddressesIsKnownByItsLinearAddress) {
  put64(kData + 8, kOne);
  Bytes code = {0x8b, 0x05};  // mov eax, [kData]
  const auto put = [&](u64 linear) {
    const auto disp = static_cast<u32>(linear - (kCode + code.size() + 4));
    for (unsigned shift = 0; shift < 32; shift += 8) code.push_back(static_cast<u8>(disp >> shift));
  };
  put(kData);
  code.insert(code.end(), {0xdd, 0x05});  // fld qword [kData + 8]
  put(kData + 8);
  const X86State after = run(code);
  EXPECT_EQ(significand(after, 0), u64{1} << 63);
  EXPECT_EQ(after.fpu.fip, kCode + 6);
  EXPECT_EQ(after.fpu.fdp, kData + 8);
  // Of FS, besides, it is not.
  state_.segments[kFs].base = 0x1000;
  put64(kData + 0x1000, kOne);
  const auto disp = static_cast<u32>(kData - (kCode + 7));
  const auto byte = [&](unsigned n) { return static_cast<u8>(disp >> 8 * n); };
  EXPECT_EQ(run({0x64, 0xdd, 0x05, byte(0), byte(1), byte(2), byte(3)}).fpu.fdp, kData);
}

TEST_F(TranslatedX87, PointersAreNotThoseOfControlInstructionsNorOfMmx) {
  const X86State after = run({0xd9, 0xe8, 0xd9, 0x3b, 0x9b,    // fld1; fnstcw [rbx]; wait
                              0x0f, 0x6e, 0x0b, 0xdd, 0x3b});  // movd mm1, [rbx]; fnstsw [rbx]
  EXPECT_EQ(after.fpu.fip, kCode);
  EXPECT_EQ(after.fpu.fcs, kCode0);
  EXPECT_EQ(after.fpu.fdp, 0u);
}

TEST_F(TranslatedX87, PointersStayWhereNoInstructionRan) {
  state_.fpu.fip = 0x123456789a;
  state_.fpu.fcs = 0x55;
  const X86State after = run({0x9b, 0xd9, 0x3b});  // wait; fnstcw [rbx]
  EXPECT_EQ(after.fpu.fip, 0x123456789au);
  EXPECT_EQ(after.fpu.fcs, 0x55);
}

TEST_F(TranslatedX87, AFaultBehindSeveralInARowFindsTheLast) {
  map_small(kData, 0);
  const X86State after = run({0xd9, 0xe8, 0xd9, 0xe0, 0xdd, 0x03});  // fld1; fchs; fld qword [rbx]
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(quad(after, 1), kCode + 4);
  EXPECT_EQ(after.fpu.fip, kCode + 2);
  EXPECT_EQ(top_of(after), 7);
}

TEST_F(TranslatedX87, AnUnmaskedExceptionIsRaisedByTheNext) {
  state_.fpu.fcw = 0x37f & ~kZeroDivide;
  const X86State after = run({0xd9, 0xee, 0xd9, 0xe8,                // fldz; fld1
                              0xd8, 0xf1, 0x89, 0xc0, 0xd9, 0xe8});  // fdiv st1; mov; fld1
  EXPECT_EQ(vector_of(after), kX87FloatingPoint);
  EXPECT_EQ(quad(after, 0), kCode + 8);
  EXPECT_EQ(after.fpu.fip, kCode + 4);
  EXPECT_EQ(after.fpu.fop, 0x0f1);
  EXPECT_EQ(after.fpu.fsw & kZeroDivide, kZeroDivide);
  EXPECT_EQ(top_of(after), 6);
}

TEST_F(TranslatedX87, FldcwThatUnmasksCountsForTheRestOfTheBlock) {
  put16(kData, 0x37f & ~kZeroDivide);
  const X86State after = run({0xd9, 0xee, 0xd9, 0xe8, 0xd9, 0x2b,    // fldz; fld1; fldcw [rbx]
                              0xd8, 0xf1, 0x89, 0xc0, 0xd9, 0xe8});  // fdiv st1; mov; fld1
  EXPECT_EQ(vector_of(after), kX87FloatingPoint);
  EXPECT_EQ(quad(after, 0), kCode + 10);
  EXPECT_EQ(after.fpu.fcw, 0x37b);
}

TEST_F(TranslatedX87, FldcwChangesTheRounding) {
  put64(kData, 0x3ff8000000000000);  // 1.5
  put16(kData + 8, 0xef3f);          // towards zero, and a bit that does not exist
  // fld qword [rbx]; fist dword [rdi]; fldcw [rbx + 8]; fistp dword [rdi + 4]
  const X86State after = run({0xdd, 0x03, 0xdb, 0x17, 0xd9, 0x6b, 0x08, 0xdb, 0x5f, 0x04});
  EXPECT_EQ(get32(kOther), 2u);
  EXPECT_EQ(get32(kOther + 4), 1u);
  EXPECT_EQ(after.fpu.fcw, 0x0f7f);
}

TEST_F(TranslatedX87, ALoadOntoAFullStackAndASumOfNothing) {
  Bytes code;
  for (int i = 0; i < 9; ++i) code.insert(code.end(), {0xd9, 0xe8});  // fld1
  X86State after = run(code);
  EXPECT_EQ(after.fpu.fsw & (kInvalid | kStackBit | kC1), kInvalid | kStackBit | kC1);
  EXPECT_EQ(top_of(after), 7);
  EXPECT_EQ(significand(after, 0), u64{3} << 62);
  after = run({0xd9, 0xe8, 0xd8, 0xc1});  // fld1; fadd st1
  EXPECT_EQ(after.fpu.fsw & (kInvalid | kStackBit | kC1), kInvalid | kStackBit);
  EXPECT_EQ(significand(after, 0), u64{3} << 62);
}

TEST_F(TranslatedX87, ComparisonsAndMovesUseTheGuestsFlags) {
  // fldz; fld1; fcomi st1; fcmovb st1; fucomi st0; fcmove st1; fistp dword [rbx]
  const X86State after = run({0xd9, 0xee, 0xd9, 0xe8, 0xdb, 0xf1, 0xda, 0xc1, 0x0f, 0x92, 0xc0,
                              0xdb, 0xe8, 0xda, 0xc9, 0xdb, 0x1b});
  EXPECT_EQ(after.gpr[kRax] & 0xff, 0u);  // setb al: 1 is not below 0
  EXPECT_EQ(get32(kData), 0u);
  EXPECT_EQ(top_of(after), 7);
}

TEST_F(TranslatedX87, TaskSwitchedIsDeviceNotAvailable) {
  // fld1; mov rax, cr0; or eax, 8; mov cr0, rax; fld1
  const X86State after =
      run({0xd9, 0xe8, 0x0f, 0x20, 0xc0, 0x83, 0xc8, 0x08, 0x0f, 0x22, 0xc0, 0xd9, 0xe8});
  EXPECT_EQ(vector_of(after), kDeviceNotAvailable);
  EXPECT_EQ(quad(after, 0), kCode + 11);
  EXPECT_EQ(top_of(after), 7);
  state_.cr0 |= cr0::kTs;
  EXPECT_EQ(vector_of(run({0x0f, 0x6e, 0xc8})), kDeviceNotAvailable);  // movd mm1, eax
  state_.cr0 = (state_.cr0 & ~cr0::kTs) | cr0::kEm;
  EXPECT_EQ(vector_of(run({0x0f, 0x6e, 0xc8})), kInvalidOpcode);
}

TEST_F(TranslatedX87, FxsaveAndFxrstorMoveWhatTheHostHolds) {
  // fld1; fxsave64 [rbx]; fninit; fldz; fxrstor64 [rbx]; fstp qword [rdi]
  X86State after = run({0xd9, 0xe8, 0x48, 0x0f, 0xae, 0x03, 0xdb, 0xe3, 0xd9, 0xee, 0x48, 0x0f,
                        0xae, 0x0b, 0xdd, 0x1f});
  EXPECT_EQ(get64(kOther), kOne);
  EXPECT_EQ(get64(kData + 8), kCode);  // FIP
  EXPECT_EQ(after.fpu.ftw, 0);
  put64(kOther, 0);
  gpr(kRax) = 1;
  gpr(kRdx) = 0;
  // fld1; xsave [rbx]; fninit; fldz; xrstor [rbx]; fstp qword [rdi]
  after = run({0xd9, 0xe8, 0x0f, 0xae, 0x23, 0xdb, 0xe3, 0xd9, 0xee, 0x0f, 0xae, 0x2b, 0xdd, 0x1f});
  EXPECT_EQ(get64(kOther), kOne);
}

TEST_F(TranslatedX87, WhatIsLeftToHandlersFindsTheStackAndLeavesIt) {
  // fldz; fcos; xor eax, eax; cpuid; fadd st0, st0; fistp dword [rdi]
  const X86State after =
      run({0xd9, 0xee, 0xd9, 0xff, 0x31, 0xc0, 0x0f, 0xa2, 0xd8, 0xc0, 0xdb, 0x1f});
  EXPECT_EQ(get32(kOther), 2u);
  EXPECT_EQ(after.fpu.ftw, 0);
}

TEST_F(TranslatedX87, AnMmxInstructionTakesTheStackAndEmmsEmptiesIt) {
  gpr(kRax) = 0x11223344;
  X86State after = run({0xd9, 0xe8, 0x0f, 0x6e, 0xd8, 0x0f, 0xfc, 0xdb});  // fld1; movd; paddb
  EXPECT_EQ(top_of(after), 0);
  EXPECT_EQ(after.fpu.ftw, 0xff);
  EXPECT_EQ(significand(after, 3), 0x22446688u);
  EXPECT_EQ(load<u16>(after.fpu.st[3].data() + 8), 0xffff);
  after = run({0x0f, 0x6e, 0xd8, 0x0f, 0x7e, 0xdb, 0x0f, 0x77});  // movd mm3, eax; movd ebx, mm3
  EXPECT_EQ(after.fpu.ftw, 0);                                    // emms
  EXPECT_EQ(after.gpr[kRbx], 0x11223344u);
}

TEST_F(TranslatedX87, OnlyWhatIsLeftToHandlersIsCountedAsDeclined) {
  // fld1; fldcw [rbx]; fstp qword [rdi]; movd mm1, eax; fcos
  put16(kData, 0x37f);
  run({0xd9, 0xe8, 0xd9, 0x2b, 0xdd, 0x1f, 0x0f, 0x6e, 0xc8, 0xd9, 0xff});
  std::vector<std::string> names;
  const auto figures = accelerator_->translator_figures();
  for (const auto& declined : figures->declined)
    if (declined.name != "hlt") names.push_back(declined.name);
  EXPECT_EQ(names, std::vector<std::string>{"fcos"});
}

// MOVQ2DQ and MOVDQ2Q use both units.
TEST_F(TranslatedX87, VectorsAndMmxRegistersAreThereTogether) {
  gpr(kRax) = 7;
  // movd mm0, eax; movq2dq xmm1, mm0; paddd xmm1, xmm1; movdq2q mm2, xmm1; movd ebx, mm2
  const X86State after = run({0x0f, 0x6e, 0xc0, 0xf3, 0x0f, 0xd6, 0xc8, 0x66, 0x0f, 0xfe, 0xc9,
                              0xf2, 0x0f, 0xd6, 0xd1, 0x0f, 0x7e, 0xd3});
  EXPECT_EQ(after.gpr[kRbx], 14u);
  EXPECT_EQ(load<u32>(after.fpu.zmm[1].data()), 14u);
}

class TranslatedX87Code32 : public TranslatedModes {};

TEST_F(TranslatedX87Code32, PointersAreOffsetsWithSelectors) {
  state_.fpu.fcw = 0x37f;
  gpr(kRbx) = kData;
  put64(kData, kOne);
  const X86State after = run({0xdd, 0x03, 0x26, 0xdc, 0x03});  // fld qword [ebx]; fadd es:[ebx]
  EXPECT_EQ(after.fpu.fip, kCode + 2);
  EXPECT_EQ(after.fpu.fcs, kCode0);
  EXPECT_EQ(after.fpu.fdp, kData);
  EXPECT_EQ(after.fpu.fds, kData0);
}

}  // namespace
}  // namespace kite
