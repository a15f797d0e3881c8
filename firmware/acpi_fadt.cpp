// FADT and FACS (ACPI 6.5 5.2.9, 5.2.10).
#include "firmware/acpi_parts.h"
#include "firmware/acpi_table.h"

namespace kite {

namespace {

constexpr u8 kFadtRevision = 6, kFadtMinorRevision = 5;
// Fixed feature flags, table 5.10.
constexpr u32 kWbinvd = 1 << 0, kProcC1 = 1 << 2, kNoPowerButton = 1 << 4, kNoSleepButton = 1 << 5,
              kNoFixedRtcWake = 1 << 6, kTimer32Bit = 1 << 8, kResetRegister = 1 << 10;
// IA-PC boot architecture flags, table 5.11.
constexpr u16 kLegacyDevices = 1 << 0, kHas8042 = 1 << 1, kNoVga = 1 << 2, kNoRtc = 1 << 5;
constexpr u16 kNoC2 = 0xfff, kNoC3 = 0xfff;  // latencies that say: not supported
constexpr u8 kEventLength = 4, kControlLength = 2, kTimerLength = 4, kGpe0Length = 4;
constexpr u8 kCenturyRegister = 0x32;  // in the RTC's RAM

u32 feature_flags(const AcpiFacts& facts) {
  u32 flags = kWbinvd | kProcC1;
  if (!facts.has_rtc) flags |= kNoFixedRtcWake;
  if (!facts.power_button) flags |= kNoPowerButton;
  if (!facts.sleep_button) flags |= kNoSleepButton;
  if (facts.pm_timer_is_32_bit) flags |= kTimer32Bit;
  if (facts.reset) flags |= kResetRegister;
  return flags;
}

u16 boot_flags(const AcpiFacts& facts) {
  u16 flags = 0;
  for (const bool port : facts.serial)
    if (port) flags |= kLegacyDevices;
  if (facts.has_8042) flags |= kHas8042;
  if (!facts.has_vga) flags |= kNoVga;
  if (!facts.has_rtc) flags |= kNoRtc;
  return flags;
}

// The ports as ACPI 1.0 knew them. No SMI command port: the machine is always in ACPI mode.
void add_legacy_blocks(AcpiTable& table, const AcpiFacts& facts) {
  table.add<u16>(facts.sci_irq).add<u32>(0).add<u8>(0).add<u8>(0).add<u8>(0).add<u8>(0);
  table.add<u32>(facts.pm1_event_port).add<u32>(0);
  table.add<u32>(facts.pm1_control_port).add<u32>(0).add<u32>(0);
  table.add<u32>(facts.pm_timer_port).add<u32>(facts.gpe0_port.value_or(0)).add<u32>(0);
  table.add<u8>(kEventLength).add<u8>(kControlLength).add<u8>(0).add<u8>(kTimerLength);
  table.add<u8>(facts.gpe0_port ? kGpe0Length : 0).add<u8>(0).add<u8>(0).add<u8>(0);
}

void add_extended_blocks(AcpiTable& table, const AcpiFacts& facts) {
  table.add_port(facts.pm1_event_port, 8 * kEventLength).add_port(0, 0);
  table.add_port(facts.pm1_control_port, 8 * kControlLength).add_port(0, 0).add_port(0, 0);
  table.add_port(facts.pm_timer_port, 8 * kTimerLength);
  table.add_port(facts.gpe0_port.value_or(0), 8 * kGpe0Length).add_port(0, 0);
  table.add_port(0, 0).add_port(0, 0);  // sleep control and status: hardware-reduced only
}

}  // namespace

std::vector<u8> acpi_fadt(const AcpiFacts& facts, Gpa facs, Gpa dsdt) {
  AcpiTable table("FACP", kFadtRevision);
  table.add<u32>(static_cast<u32>(facs)).add<u32>(static_cast<u32>(dsdt));
  table.add<u8>(0).add<u8>(0);  // reserved; preferred profile: unspecified
  add_legacy_blocks(table, facts);
  table.add<u16>(kNoC2).add<u16>(kNoC3).add<u16>(0).add<u16>(0);  // no flush size: WBINVD works
  table.add<u8>(0).add<u8>(0).add<u8>(0).add<u8>(0);              // no duty cycle, no RTC alarm
  table.add<u8>(facts.has_rtc ? kCenturyRegister : 0);
  table.add<u16>(boot_flags(facts)).add<u8>(0).add<u32>(feature_flags(facts));
  table.add_port(facts.reset ? facts.reset->port : 0, 8);
  table.add<u8>(facts.reset ? facts.reset->value : 0).add<u16>(0).add<u8>(kFadtMinorRevision);
  // Where both are given, X_FIRMWARE_CTRL is to be 0 (5.2.9).
  table.add<u64>(0).add<u64>(dsdt);
  add_extended_blocks(table, facts);
  table.add<u64>(0);  // hypervisor vendor
  return table.finish();
}

// Not a table with a header: signature and length only, and no checksum.
std::vector<u8> acpi_facs() {
  constexpr u64 kSize = 64, kVersion = 32;
  std::vector<u8> facs(kSize);
  store<u32>(facs.data(), 0x53434146);  // "FACS"
  store<u32>(&facs[4], kSize);
  facs[kVersion] = 2;
  return facs;
}

}  // namespace kite
