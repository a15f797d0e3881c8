// The local APIC's registers and bits by the manual's names (SDM 3A 11.4.1, table 11-1).
#pragma once

#include "base/bits.h"

namespace kite::apic {

// Register numbers: the offset in the page divided by 16; 800h plus this is the x2APIC MSR.
enum Register : unsigned {
  kId = 0x02,
  kVersion = 0x03,
  kTpr = 0x08,
  kApr = 0x09,
  kPpr = 0x0A,
  kEoi = 0x0B,
  kRrd = 0x0C,
  kLdr = 0x0D,
  kDfr = 0x0E,
  kSvr = 0x0F,
  kIsr = 0x10,
  kTmr = 0x18,
  kIrr = 0x20,
  kEsr = 0x28,
  kLvtCmci = 0x2F,
  kIcrLow = 0x30,
  kIcrHigh = 0x31,
  kLvtTimer = 0x32,
  kLvtThermal = 0x33,
  kLvtPerformance = 0x34,
  kLvtLint0 = 0x35,
  kLvtLint1 = 0x36,
  kLvtError = 0x37,
  kInitialCount = 0x38,
  kCurrentCount = 0x39,
  kDivideConfiguration = 0x3E,
  kSelfIpi = 0x3F,
};

// IA32_APIC_BASE, SDM 3A 11.4.4 and 11.12.1.
inline constexpr u32 kMsrApicBase = 0x1B;
inline constexpr u32 kMsrTscDeadline = 0x6E0;
inline constexpr u32 kMsrX2apicFirst = 0x800;
inline constexpr u32 kMsrX2apicLast = 0x8FF;
inline constexpr u64 kBaseBsp = bit(8);
inline constexpr u64 kBaseExtd = bit(10);
inline constexpr u64 kBaseEn = bit(11);

// Spurious interrupt vector register, SDM 3A 11.9.
inline constexpr u32 kSvrEnable = 1u << 8;
inline constexpr u32 kSvrSuppressEoiBroadcast = 1u << 12;

// An LVT entry, SDM 3A 11.5.1.
inline constexpr u32 kLvtRemoteIrr = 1u << 14;
inline constexpr u32 kLvtLevel = 1u << 15;
inline constexpr u32 kLvtMask = 1u << 16;

// Error status register, SDM 3A 11.5.3.
inline constexpr u32 kEsrSendIllegalVector = 1u << 5;
inline constexpr u32 kEsrReceiveIllegalVector = 1u << 6;
inline constexpr u32 kEsrIllegalRegister = 1u << 7;

// Interrupt command register, SDM 3A 11.6.1.
inline constexpr u32 kIcrLogical = 1u << 11;
inline constexpr u32 kIcrAssert = 1u << 14;
inline constexpr u32 kIcrLevel = 1u << 15;
inline constexpr u32 kIcrWritable = 0x000C'CFFF;

// Version register: bits 23:16 the number of LVT entries less one, of which CMCI's is the seventh;
// bit 24: EOI broadcast can be suppressed (SDM 3A 11.4.8).
inline constexpr u32 kVersion14h = 0x14 | 5u << 16;
inline constexpr u32 kVersionCmci = 1u << 16;
inline constexpr u32 kVersionDirectedEoi = 1u << 24;

// Vectors 0 to 15 are not for APIC interrupts, SDM 3A 11.5.2.
inline constexpr u8 kFirstLegalVector = 16;

}  // namespace kite::apic
