// Numbers of the model-specific registers (SDM 4 chapter 2, AMD APM 2 appendix A, Linux
// Documentation/virt/kvm/x86/msr.rst).
#pragma once

#include "base/bits.h"
#include "base/types.h"

namespace kite::msr {

inline constexpr u32 kTsc = 0x10;
inline constexpr u32 kPlatformId = 0x17;
inline constexpr u32 kApicBase = 0x1b;
inline constexpr u32 kFeatureControl = 0x3a;
inline constexpr u32 kTscAdjust = 0x3b;
inline constexpr u32 kSpecCtrl = 0x48;
inline constexpr u32 kPredCmd = 0x49;
inline constexpr u32 kBiosUpdateTrigger = 0x79;
inline constexpr u32 kBiosSignatureId = 0x8b;
inline constexpr u32 kMtrrCap = 0xfe;
inline constexpr u32 kArchCapabilities = 0x10a;
inline constexpr u32 kSysenterCs = 0x174;
inline constexpr u32 kSysenterEsp = 0x175;
inline constexpr u32 kSysenterEip = 0x176;
inline constexpr u32 kMcgCap = 0x179;
inline constexpr u32 kMcgStatus = 0x17a;
inline constexpr u32 kMcgCtl = 0x17b;
inline constexpr u32 kMiscEnable = 0x1a0;
inline constexpr u32 kDebugCtl = 0x1d9;
inline constexpr u32 kMtrrPhysBase0 = 0x200;  // base and mask alternate
inline constexpr u32 kMtrrFix64k = 0x250;
inline constexpr u32 kMtrrFix16k = 0x258;
inline constexpr u32 kMtrrFix4k = 0x268;
inline constexpr u32 kPat = 0x277;
inline constexpr u32 kMtrrDefType = 0x2ff;
inline constexpr u32 kMc0Ctl = 0x400;  // CTL, STATUS, ADDR, MISC of each bank
inline constexpr u32 kTscDeadline = 0x6e0;
inline constexpr u32 kX2apicFirst = 0x800;
inline constexpr u32 kX2apicLast = 0x8ff;
inline constexpr u32 kXss = 0xda0;

inline constexpr u32 kEfer = 0xc0000080;
inline constexpr u32 kStar = 0xc0000081;
inline constexpr u32 kLstar = 0xc0000082;
inline constexpr u32 kCstar = 0xc0000083;
inline constexpr u32 kSfmask = 0xc0000084;
inline constexpr u32 kFsBase = 0xc0000100;
inline constexpr u32 kGsBase = 0xc0000101;
inline constexpr u32 kKernelGsBase = 0xc0000102;
inline constexpr u32 kTscAux = 0xc0000103;

// AMD's, which kernels read on family 15 without asking CPUID (Linux arch/x86/kernel/cpu/amd.c).
inline constexpr u32 kPerformanceFirst = 0xc0010000;  // PerfEvtSel0 to 3, PerfCtr0 to 3
inline constexpr u32 kPerformanceLast = 0xc0010007;
inline constexpr u32 kSyscfg = 0xc0010010;
inline constexpr u32 kHwcr = 0xc0010015;
inline constexpr u32 kNorthBridgeConfig = 0xc001001f;
inline constexpr u32 kInterruptPending = 0xc0010055;
inline constexpr u32 kVmCr = 0xc0010114;

// The paravirtual clock: the old numbers go with CPUID bit CLOCKSOURCE, the others with
// CLOCKSOURCE2.
inline constexpr u32 kKvmWallClockOld = 0x11;
inline constexpr u32 kKvmSystemTimeOld = 0x12;
inline constexpr u32 kKvmWallClock = 0x4b564d00;
inline constexpr u32 kKvmSystemTime = 0x4b564d01;

// IA32_APIC_BASE.
inline constexpr u64 kApicBaseBsp = bit(8);
inline constexpr u64 kApicBaseX2apic = bit(10);
inline constexpr u64 kApicBaseEnable = bit(11);
inline constexpr u64 kApicBaseDefault = 0xfee00000;

// Does the interrupt controller own this register (InterruptPort::read_msr)?
constexpr bool belongs_to_apic(u32 index) {
  return index == kApicBase || index == kTscDeadline ||
         (index >= kX2apicFirst && index <= kX2apicLast);
}

}  // namespace kite::msr
