// ACPI: the tables that describe the board to the guest, from facts to bytes.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

// SLP_TYP of soft-off, as the DSDT's \_S5 says it; written to the PM1 control block to power off.
inline constexpr u8 kAcpiSleepTypeS5 = 5;
// … of suspend to RAM, as \_S3 says it.
inline constexpr u8 kAcpiSleepTypeS3 = 1;

struct AcpiFacts {
  struct Cpu {
    u32 apic_id = 0;
    bool enabled = true;
  };
  struct IoApic {
    u8 id = 0;
    Gpa address = 0xfec00000;
    u32 gsi_base = 0;
  };
  // An ISA interrupt that is not wired to the GSI of its own number, or not as ISA is
  // (edge-triggered, active high).
  struct Override {
    u8 irq = 0;
    u32 gsi = 0;
    bool level = false;
    bool active_low = false;
  };
  struct Reset {
    u16 port = 0xcf9;
    u8 value = 6;
  };
  // A virtio-mmio transport: 512 bytes of registers and a GSI.
  struct VirtioMmio {
    Gpa address = 0;
    u32 gsi = 0;
  };

  std::vector<Cpu> cpus;  // the boot processor first; _UID is the index
  Gpa lapic_address = 0xfee00000;
  std::vector<IoApic> ioapics;
  std::vector<Override> overrides;

  bool has_8259 = true;
  bool has_8042 = true;
  bool has_rtc = true;
  bool has_pci = false;  // bus 0 behind ports CF8h and CFCh
  bool has_vga = false;
  std::array<bool, 4> serial = {true, false, false, false};  // COM1…COM4 at their usual places

  u16 sci_irq = 9;
  u16 pm1_event_port = 0x600;    // 4 bytes: status, enable
  u16 pm1_control_port = 0x604;  // 2 bytes
  u16 pm_timer_port = 0x608;     // 4 bytes
  bool pm_timer_is_32_bit = false;
  std::optional<u16> gpe0_port = std::nullopt;  // 4 bytes: status, enable, two bytes each
  bool power_button = false;                    // the fixed-feature buttons of the PM1 block
  bool sleep_button = false;
  std::optional<Reset> reset = Reset{};

  std::optional<Gpa> hpet = 0xfed00000;
  std::optional<u16> pvpanic_port = 0x505;
  std::vector<VirtioMmio> virtio_mmio;
};

struct AcpiTables {
  std::vector<u8> bytes;  // to be put at the address given to acpi_tables()
  Gpa rsdp = 0;
  Gpa facs = 0;
};

// Where the FACS has the address at which the guest wants to wake up, a double word: real mode, 0
// is nowhere (ACPI 6.5 5.2.10, Firmware Waking Vector).
inline constexpr u64 kFacsWakingVector = 12;

// RSDP, RSDT, XSDT, FADT with FACS and DSDT, MADT, HPET and an SSDT with what a board
// has a number of.
// `address` is page-aligned and below 4 GiB; `limit` is the room there.
Result<AcpiTables> acpi_tables(const AcpiFacts& facts, Gpa address, u64 limit);

}  // namespace kite
