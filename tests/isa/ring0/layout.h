// Where everything stands in the guest of a ring-0 case: 96 KiB of memory, the same in every mode.
// All of it but the page tables is below 64 KiB, so that 16-bit code reaches it.
#pragma once

#include "base/types.h"

namespace kite::ring0 {

inline constexpr u64 kRamSize = 0x18000;

inline constexpr u32 kIvt = 0x0;      // real mode's vectors
inline constexpr u32 kGdt = 0x1000;   // kTableLimit + 1 bytes
inline constexpr u32 kLdt = 0x1800;   // the same descriptors again
inline constexpr u32 kIdt = 0x2000;   // by mode
inline constexpr u32 kTss = 0x4000;   // by mode, with an I/O permission bitmap
inline constexpr u32 kTss2 = 0x4400;  // where a task switch goes
// Data pages side by side, so that an access can cross from one into the other.
inline constexpr u32 kSystemPage = 0x5000;    // supervisor, writable
inline constexpr u32 kUserPage = 0x6000;      // user, writable
inline constexpr u32 kReadOnlyPage = 0x7000;  // user, read-only
inline constexpr u32 kMissingPage = 0x8000;   // not present
inline constexpr u32 kUserCode = 0x9000;      // user; HLT everywhere
inline constexpr u32 kNoExecutePage = 0xa000;
inline constexpr u32 kInnerStacks = 0xb000;  // one for each level and each IST entry
inline constexpr u32 kHandlers = 0xc000;     // 16 bytes for each vector, HLT everywhere
inline constexpr u32 kStackPage = 0xd000;    // of the case
inline constexpr u32 kCodePage = 0xe000;     // of the case
inline constexpr u32 kTarget = 0xf000;       // supervisor; HLT everywhere
// Page tables: 4-level and PAE, whose directory and table are shared; and 32-bit.
inline constexpr u32 kPml4 = 0x10000, kPdpt = 0x11000, kDirectory = 0x12000, kTable = 0x13000,
                     kPaePdpt = 0x14000, kDirectory32 = 0x15000, kTable32 = 0x16000;

inline constexpr u16 kTableLimit = 0x11f;
inline constexpr u16 kTssLimit = 0x108;
inline constexpr u32 kIoMap = 0x88;  // of the TSS; VME's redirection bitmap is in front of it

// Selectors, without RPL and TI.
enum Selector : u16 {
  kNull = 0,
  kCode0 = 0x08,  // 32-bit, flat
  kData0 = 0x10,
  kCode3 = 0x18,
  kData3 = 0x20,
  kCode64 = 0x28,
  kCode64User = 0x30,
  kCode16 = 0x38,  // 64 KiB
  kData16 = 0x40,
  kCode16User = 0x48,
  kData16User = 0x50,
  kTssSelector = 0x58,   // 16 bytes in long mode
  kLdtSelector = 0x68,   // 16 bytes
  kTss2Selector = 0x78,  // 16 bytes
  kConforming = 0x88,
  kAbsentCode = 0x90,
  kAbsentData = 0x98,
  kExpandDown = 0xa0,
  kReadOnlyData = 0xa8,
  kExecuteOnly = 0xb0,
  kGate = 0xb8,         // a call gate, 16 bytes
  kOtherGate = 0xc8,    // another
  kCode1 = 0xd8,        // level 1
  kData1 = 0xe0,        //
  kNotAccessed = 0xe8,  // data of level 3
  kRandom = 0xf0,       // whatever the case puts there, 16 bytes
  kTaskGate = 0x100,
  kSmallData = 0x108,  // 16 bytes from kUserPage
  kTss16Selector = 0x110,
};

}  // namespace kite::ring0
