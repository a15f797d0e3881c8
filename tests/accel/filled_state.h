// An X86State in which every register has a value of its own, and what of it everyone keeps.
#pragma once

#include <gtest/gtest.h>

#include "accel/x86/registers.h"
#include "accel/x86/state.h"

namespace kite::test {

inline FpuState filled_fpu() {
  FpuState fpu;
  fpu.fcw = 0x27f;
  fpu.fsw = 3 << 11 | 0x4100;
  fpu.ftw = 0xa5;
  fpu.mxcsr = 0x1fa0;
  for (unsigned i = 0; i < 8; ++i)
    fpu.st[i][7] = 0x80, fpu.st[i][8] = static_cast<u8>(i), fpu.st[i][9] = 0x40;
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned byte = 0; byte < 16; ++byte) fpu.zmm[i][byte] = static_cast<u8>(16 * i + byte);
  return fpu;
}

// In long mode, as a kernel might have left it.
inline X86State filled_state() {
  const Segment data = {
      .selector = 0x10, .limit = 0xffffffff, .type = 3, .l = false, .db = true, .g = true};
  const Segment code = {
      .selector = 8, .limit = 0xffffffff, .type = 11, .l = true, .db = false, .g = true};
  X86State state = X86State::after_reset();
  state.cr0 = cr0::kPe | cr0::kPg | cr0::kEt | cr0::kNe | cr0::kMp | cr0::kWp;
  state.cr2 = 0xdeadbeef000;
  state.cr3 = 0x10000;
  state.cr4 = cr4::kPae | cr4::kOsfxsr | cr4::kPge;
  state.efer = efer::kLme | efer::kLma | efer::kSce | efer::kNxe;
  state.segments.fill(data);
  state.segments[kCs] = code;
  state.segments[kFs].base = 0x7fff12345678;
  state.segments[kGs].base = 0xffff888012345000;
  state.ldtr = {.selector = 0x30, .base = 0x3000, .limit = 0x1f, .type = 2, .s = false};
  state.tr = {.selector = 0x40, .base = 0x2000, .limit = 0x67, .type = 11, .s = false};
  state.gdtr = {.base = 0xffff800000001000, .limit = 0x7f};
  state.idtr = {.base = 0xffff800000002000, .limit = 0xfff};
  for (unsigned i = 0; i < 16; ++i) state.gpr[i] = 0x0101010101010101 * (i + 1);
  state.rip = 0xffffffff81000000;
  state.rflags = rflags::kFixed | rflags::kCf | rflags::kOf | rflags::kIf | rflags::kId;
  state.dr = {0x1000, 0x2000, 0x3000, 0x4000};
  state.dr6 = dr6::kFixed | dr6::kB0 << 1;
  state.dr7 = 0x401;
  state.star = 0x0023001000000000;
  state.lstar = 0xffffffff81000010;
  state.cstar = 0xffffffff81000020;
  state.sfmask = 0x47700;
  state.kernel_gs_base = 0xffff888000000000;
  state.sysenter_cs = 0x10;
  state.sysenter_esp = 0xffffc00000001000;
  state.sysenter_eip = 0xffffffff81001000;
  state.pat = 0x0407050600070106;
  state.mtrr_def_type = 0xc06;
  state.mtrr_fixed[0] = 0x0606060606060606;
  state.mtrr_variable[0] = 0xe0000000;
  state.mtrr_variable[1] = 0xffe0000800;
  state.fpu = filled_fpu();
  return state;
}

// All but what a KVM may know less of (machine checks, memory types, MSRs) and the TSC, which
// moves.
inline void expect_same_registers(const X86State& got, const X86State& wanted) {
  EXPECT_EQ(got.gpr, wanted.gpr);
  EXPECT_EQ(got.rip, wanted.rip);
  EXPECT_EQ(got.rflags, wanted.rflags);
  EXPECT_EQ(got.segments, wanted.segments);
  EXPECT_EQ(got.ldtr, wanted.ldtr);
  EXPECT_EQ(got.tr, wanted.tr);
  EXPECT_EQ(got.gdtr, wanted.gdtr);
  EXPECT_EQ(got.idtr, wanted.idtr);
  EXPECT_EQ(got.cr0, wanted.cr0);
  EXPECT_EQ(got.cr2, wanted.cr2);
  EXPECT_EQ(got.cr3, wanted.cr3);
  EXPECT_EQ(got.cr4, wanted.cr4);
  EXPECT_EQ(got.efer, wanted.efer);
  EXPECT_EQ(got.dr, wanted.dr);
  EXPECT_EQ(got.dr6, wanted.dr6);
  EXPECT_EQ(got.dr7, wanted.dr7);
  EXPECT_EQ(got.fpu, wanted.fpu);
  EXPECT_EQ(got.star, wanted.star);
  EXPECT_EQ(got.lstar, wanted.lstar);
  EXPECT_EQ(got.cstar, wanted.cstar);
  EXPECT_EQ(got.sfmask, wanted.sfmask);
  EXPECT_EQ(got.kernel_gs_base, wanted.kernel_gs_base);
  EXPECT_EQ(got.sysenter_cs, wanted.sysenter_cs);
  EXPECT_EQ(got.sysenter_esp, wanted.sysenter_esp);
  EXPECT_EQ(got.sysenter_eip, wanted.sysenter_eip);
  EXPECT_EQ(got.pat, wanted.pat);
  EXPECT_EQ(got.pending, wanted.pending);
  EXPECT_EQ(got.mp_state, wanted.mp_state);
}

}  // namespace kite::test
