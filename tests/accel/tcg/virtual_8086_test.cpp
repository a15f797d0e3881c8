// Virtual-8086 mode, its interrupt redirection (CR4.VME) and protected-mode virtual interrupts
// (CR4.PVI): SDM 3B chapter 20.
#include "tests/accel/tcg/modes.h"

namespace kite {
namespace {

class TcgVirtual8086 : public ModesTest {
 protected:
  static constexpr u64 kV86 = 2 | rflags::kVm;
  static constexpr u64 kV86Stack = 0x8000;

  // The processor is in virtual-8086 mode, at 0300:0000, with SS = 0.
  void enter(u64 more_flags) {
    state_.rflags = kV86 | more_flags;
    for (unsigned i = 0; i < 6; ++i)
      state_.segments[i] = virtual_8086_segment(static_cast<u16>(i == kSs ? 0 : 0x300 + i));
    state_.segments[kCs] = virtual_8086_segment(kCode >> 4);
    state_.rip = 0;
    state_.gpr[kRsp] = kV86Stack;
    put32(kTss + 0x64, 0x100u << 16);  // I/O map at 100h, the redirection bitmap 32 bytes below
  }
  void redirect(u8 vector, bool to_program) {
    const Gpa at = kTss + 0xe0 + vector / 8u;
    const u8 mask = static_cast<u8>(1 << vector % 8);
    const u8 old = static_cast<u8>(space_.read_value(at, 1));
    put8(at, static_cast<u8>(to_program ? old & ~mask : old | mask));
    put16(vector * 4u, 0x10);  // the program's handler is 0700:0010
    put16(vector * 4u + 2u, kOther >> 4);
    space_.write(kOther + 0x10, Bytes{kHlt});  // #GP: but that is far enough
  }
};

TEST_F(TcgVirtual8086, IretEntersItAndAnInterruptLeavesIt) {
  // PUSH 8 words and IRET; the program does INT 40h.
  Bytes code;
  for (u32 value : {0x17u, 0x16u, 0x15u, 0x14u, 0x1300u, 0xfff0u}) {
    code.push_back(0x68);
    for (int i = 0; i < 4; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
  }
  const u32 flags = static_cast<u32>(kV86 | rflags::kIopl | rflags::kIf);
  for (u32 value : {flags, static_cast<u32>(kOther >> 4), 4u}) {
    code.push_back(0x68);
    for (int i = 0; i < 4; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
  }
  code.push_back(0xcf);
  space_.write(kOther + 4, Bytes{0xcd, 0x40});
  const X86State after = run(code);
  EXPECT_EQ(vector_of(after), 0x40);
  EXPECT_EQ(after.gpr[kRsp], kInnerStack - 36);
  EXPECT_EQ(after.rflags & (rflags::kVm | rflags::kIf), 0u);
  const u32 wanted[] = {6, kOther >> 4, flags, 0xfff0, 0x1300, 0x14, 0x15, 0x16, 0x17};
  for (unsigned i = 0; i < 9; ++i) EXPECT_EQ(word(after, i), wanted[i]) << i;
  EXPECT_TRUE(after.segments[kDs].unusable);
  EXPECT_EQ(after.segments[kCs].selector, kCode0);
}

TEST_F(TcgVirtual8086, BelowIopl3ItsSensitiveInstructionsFault) {
  enter(0);
  for (const Bytes& code : {Bytes{0xcd, 0x40}, Bytes{0xfa}, Bytes{0xfb}, Bytes{0x9c}, Bytes{0x9d},
                            Bytes{0xcf}, Bytes{kHlt}}) {
    const X86State after = run(code);
    EXPECT_EQ(vector_of(after), kGeneralProtection) << int{code[0]};
    EXPECT_EQ(word(after, 0), 0u);
    EXPECT_EQ(word(after, 1), 0u);
  }
  // INT3 goes through its gate all the same.
  EXPECT_EQ(vector_of(run({0xcc})), kBreakpoint);
}

TEST_F(TcgVirtual8086, AGateToAnOuterLevelIsNoWayOut) {
  enter(rflags::kIopl);
  put64(kIdt + 0x40 * 8, handler(0x40) | u64{kCode3} << 16 | u64{0xee} << 40);
  const X86State after = run({0xcd, 0x40});
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  EXPECT_EQ(word(after, 0), u32{kCode3} & ~3u);
}

TEST_F(TcgVirtual8086, TheBitmapOfTheTssDecidesAboutPorts) {
  enter(rflags::kIopl);
  put8(kTss + 0x100 + 0x80 / 8, 2);  // port 81h
  EXPECT_EQ(vector_of(run({0xe6, 0x80, 0xcc})), kBreakpoint);
  EXPECT_EQ(vector_of(run({0xe6, 0x81, 0xcc})), kGeneralProtection);
}

TEST_F(TcgVirtual8086, VmeSendsAnInterruptToTheProgram) {
  enter(rflags::kVif);
  state_.cr4 = cr4::kVme;
  redirect(0x21, true);
  const X86State after = run({0xcd, 0x21});
  EXPECT_EQ(vector_of(after), kGeneralProtection);  // the HLT of the program's handler
  EXPECT_EQ(word(after, 1), 0x10u);
  EXPECT_EQ(word(after, 2), kOther >> 4);
  EXPECT_EQ(word(after, 3) & rflags::kVif, 0u);
  EXPECT_EQ(word(after, 4), kV86Stack - 6);
  EXPECT_EQ(get16(kV86Stack - 6), 2);
  EXPECT_EQ(get16(kV86Stack - 4), kCode >> 4);
  EXPECT_EQ(get16(kV86Stack - 2), 2 | rflags::kIopl | rflags::kIf);  // VIF in the place of IF
}

TEST_F(TcgVirtual8086, VmeAtIopl3PushesAndClearsIfItself) {
  enter(rflags::kIopl | rflags::kIf);
  state_.cr4 = cr4::kVme;
  redirect(0x21, true);
  const X86State after = run({0xcd, 0x21});
  EXPECT_EQ(word(after, 3) & rflags::kIf, 0u);
  EXPECT_EQ(get16(kV86Stack - 2), 2 | rflags::kIopl | rflags::kIf);
}

TEST_F(TcgVirtual8086, VmeLeavesOtherInterruptsToTheMonitor) {
  enter(0);
  state_.cr4 = cr4::kVme;
  redirect(0x40, false);
  EXPECT_EQ(vector_of(run({0xcd, 0x40})), kGeneralProtection);
  state_.rflags |= rflags::kIopl;
  EXPECT_EQ(vector_of(run({0xcd, 0x40})), 0x40);
}

TEST_F(TcgVirtual8086, VmeGivesCliStiPushfPopfAndIretAVirtualIf) {
  enter(rflags::kVif);
  state_.cr4 = cr4::kVme;
  X86State after = run({0xfa, 0xcc});
  EXPECT_EQ(word(after, 2) & rflags::kVif, 0u);
  state_.rflags = kV86;
  after = run({0xfb, 0x9c, 0xcc});  // STI; PUSHF
  EXPECT_TRUE(word(after, 2) & rflags::kVif);
  EXPECT_EQ(word(after, 2) & rflags::kIf, 0u);
  EXPECT_EQ(get16(kV86Stack - 2), 2 | rflags::kIopl | rflags::kIf);
  after = run({0x68, 0, 2, 0x9d, 0xcc});  // PUSH 200h; POPF
  EXPECT_TRUE(word(after, 2) & rflags::kVif);
  after = run({0x66, 0x9c});
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  after = run({0x68, 0, 1, 0x9d});  // TF
  EXPECT_EQ(vector_of(after), kGeneralProtection);
  after = run({0x68, 0, 2, 0x68, kOther >> 4 & 0xff, kOther >> 12, 0x6a, 0, 0xcf});  // IRET
  EXPECT_EQ(word(after, 2), kOther >> 4);
  EXPECT_TRUE(word(after, 3) & rflags::kVif);
}

TEST_F(TcgVirtual8086, StiWithAPendingVirtualInterruptFaults) {
  enter(rflags::kVip);
  state_.cr4 = cr4::kVme;
  EXPECT_EQ(vector_of(run({0xfb})), kGeneralProtection);
  EXPECT_EQ(vector_of(run({0x68, 0, 2, 0x9d})), kGeneralProtection);
}

TEST_F(TcgVirtual8086, PviGivesLevel3AVirtualIf) {
  state_.segments.fill(flat(kData3, 3, 3));
  state_.segments[kCs] = flat(kCode3, 11, 3);
  state_.cr4 = cr4::kPvi;
  X86State after = run({0xfb, 0xcc});
  EXPECT_EQ(vector_of(after), kBreakpoint);
  EXPECT_TRUE(word(after, 2) & rflags::kVif);
  EXPECT_EQ(word(after, 2) & rflags::kIf, 0u);
  state_.rflags |= rflags::kVip;
  EXPECT_EQ(vector_of(run({0xfb})), kGeneralProtection);
  state_.cr4 = 0;
  state_.rflags = 2;
  EXPECT_EQ(vector_of(run({0xfb})), kGeneralProtection);
}

}  // namespace
}  // namespace kite
