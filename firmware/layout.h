// Layout: where firmware and boot loaders put things in the first MiB of guest RAM.
#pragma once

#include "base/types.h"

namespace kite::layout {

// Below 1 MiB, from the bottom up. Everything here must be backed by RAM or ROM; only the holes
// between 640 KiB and E0000h may be devices.
inline constexpr Gpa kGdt = 0x500;                // the GDT the kernel is entered with
inline constexpr Gpa kStartInfo = 0x6000;         // PVH or multiboot information, one page
inline constexpr Gpa kZeroPage = 0x7000;          // Linux boot_params, one page
inline constexpr Gpa kFlatImage = 0x7c00;         // where a PC's firmware puts a boot sector
inline constexpr Gpa kStack = 0x8ff0;             // initial ESP/RSP, grows down to 8000h
inline constexpr Gpa kPageTables = 0x9000;        // six pages: identity map of the first 4 GiB
inline constexpr Gpa kCommandLine = 0x20000;      // NUL-terminated
inline constexpr u64 kCommandLineSize = 0x10000;  // with the NUL
inline constexpr Gpa kEbda = 0x9fc00;             // extended BIOS data area: top KiB of base memory
inline constexpr u64 kEbdaSize = 0x400;
inline constexpr Gpa kBaseMemoryEnd = 0xa0000;  // 640 KiB
inline constexpr Gpa kAcpi = 0xe0000;           // RSDP first: found by the scan of E0000h–FFFFFh
inline constexpr u64 kAcpiSize = 0x10000;       // (ACPI 6.5 5.2.5.1)
inline constexpr Gpa kSmbios = 0xf0000;         // anchor, then the structures (SMBIOS 3.6 5.2)
inline constexpr u64 kSmbiosSize = 0x1000;
inline constexpr Gpa kMpTable = 0xf1000;  // floating pointer first (MP 1.4 section 4)
inline constexpr u64 kMpTableSize = 0x4000;
inline constexpr Gpa kLowHoleEnd = 0x100000;  // 1 MiB

}  // namespace kite::layout
