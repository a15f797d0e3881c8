// Where the boards put their chips, and why there.
#pragma once

#include "base/types.h"

namespace kite::address {

// --- memory
// ---------------------------------------------------------------------------------------

// RAM below 4 GiB ends here: room for a gibibyte of device windows, as the PC chipsets with PCI
// Express leave it (ICH9/Q35), so that a guest's RAM sits at the same place on every board.
inline constexpr Gpa kRamHoleStart = 0xc0000000;
inline constexpr Gpa kVgaWindow = 0xa0000;  // legacy video memory; without a display, nothing
inline constexpr u64 kVgaWindowSize = 0x20000;
inline constexpr Gpa kShadow = 0xc0000;  // option ROMs, then the BIOS: 82441FX 3.2.15
inline constexpr Gpa kBios = 0xe0000;    // the ROM's last 128 KiB, as ISA decodes it (82371SB XBCS)
inline constexpr Gpa kIoApic = 0xfec00000;     // 82093AA 3.0; every kernel without ACPI looks there
inline constexpr Gpa kHpet = 0xfed00000;       // IA-PC HPET 1.0a 2.3.9's first choice
inline constexpr Gpa kLocalApic = 0xfee00000;  // SDM 3A 11.4.1: after reset

// --- ports
// ---------------------------------------------------------------------------------------- The
// PC/AT's own (IBM PC/AT Technical Reference, "I/O Address Map").

inline constexpr u16 kPicMaster = 0x20;
inline constexpr u16 kPit = 0x40;
inline constexpr u16 kI8042Data = 0x60;
inline constexpr u16 kSystemControlB = 0x61;  // the 8254's gate and output of counter 2
inline constexpr u16 kI8042Command = 0x64;
inline constexpr u16 kRtc = 0x70;
inline constexpr u16 kPort92 = 0x92;  // PS/2: system control port A
inline constexpr u16 kPicSlave = 0xa0;
inline constexpr u16 kCom1 = 0x3f8;
inline constexpr u16 kElcr = 0x4d0;  // EISA: edge/level control

// Emulators' own.
inline constexpr u16 kDebugConsole = 0xe9;           // Bochs
inline constexpr u16 kFirmwareDebugConsole = 0x402;  // SeaBIOS and OVMF print here
inline constexpr u16 kExitPort = 0xf4;               // where test suites expect isa-debug-exit
inline constexpr u16 kPvpanic = 0x505;               // Linux drivers/misc/pvpanic

// Chipset.
inline constexpr u16 kAcpiPm = 0x600;  // free on every PC; QEMU's ICH9 and PIIX4 use it as well
// EDK II moves PMBA there and does not look whether it went.
inline constexpr u16 kAcpiPmOfEdk2 = 0xb000;
inline constexpr u16 kFwCfg = 0x510, kFwCfgDma = 0x514;                // QEMU docs/specs/fw_cfg.rst
inline constexpr u16 kIdePrimary = 0x1f0, kIdePrimaryControl = 0x3f6;  // PC/AT, ATA-1 annex
inline constexpr u16 kIdeSecondary = 0x170, kIdeSecondaryControl = 0x376;
inline constexpr u16 kPciConfigAddress = 0xcf8, kPciConfigData = 0xcfc;  // PCI 2.1 3.7.4.1
inline constexpr u16 kResetRegister = 0xcf9;                             // ICH9 13.7.5

}  // namespace kite::address

namespace kite::irq {

inline constexpr unsigned kTimer = 0;  // 8254; on the I/O APIC its input is 2 (MP 1.4 5.3)
inline constexpr unsigned kKeyboard = 1;
inline constexpr unsigned kCascade = 2;
inline constexpr unsigned kCom1 = 4;
inline constexpr unsigned kRtc = 8;
inline constexpr unsigned kSci = 9;  // ACPI 6.5 5.2.9: what chipsets with an 8259 use
inline constexpr unsigned kAuxiliary = 12;
inline constexpr unsigned kIdePrimary = 14, kIdeSecondary = 15;
inline constexpr unsigned kIsaCount = 16;
inline constexpr unsigned kTimerInput = 2;  // of the I/O APIC

}  // namespace kite::irq
