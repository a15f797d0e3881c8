// The DSDT, and in it the facts in which boards differ.
#include <algorithm>

#include "firmware/acpi_parts.h"
#include "firmware/acpi_table.h"

namespace kite {

namespace {

constexpr u64 kChecksum = 9;

u32 serial_mask(const AcpiFacts& facts) {
  u32 mask = 0;
  for (unsigned i = 0; i < facts.serial.size(); ++i) mask |= u32{facts.serial[i]} << i;
  return mask;
}

// `Name (FXYZ, 0x12345678)` in AML: NameOp, the name, DWordPrefix, the number (ACPI 6.5 20.2.5.1).
void set_name(std::vector<u8>& dsdt, std::string_view name, u32 value) {
  constexpr u8 kNameOp = 0x08, kDWordPrefix = 0x0c;
  std::vector<u8> pattern = {kNameOp};
  pattern.insert(pattern.end(), name.begin(), name.end());
  pattern.insert(pattern.end(), {kDWordPrefix, 0x78, 0x56, 0x34, 0x12});
  const auto found = std::search(dsdt.begin(), dsdt.end(), pattern.begin(), pattern.end());
  if (found == dsdt.end()) return;  // TheDsdtSaysTheFacts would fail
  store<u32>(&*found + pattern.size() - sizeof value, value);
}

}  // namespace

std::vector<u8> acpi_dsdt(const AcpiFacts& facts) {
  const auto compiled = compiled_dsdt();
  std::vector<u8> dsdt(compiled.begin(), compiled.end());
  set_name(dsdt, "FCOM", serial_mask(facts));
  set_name(dsdt, "FRTC", facts.has_rtc);
  set_name(dsdt, "FKBC", facts.has_8042);
  set_name(dsdt, "FPIC", facts.has_8259);
  set_name(dsdt, "FHPT", static_cast<u32>(facts.hpet.value_or(0)));
  set_name(dsdt, "FPCI", facts.has_pci);
  set_name(dsdt, "FPVP", facts.pvpanic_port.value_or(0));
  set_checksum(dsdt, 0, dsdt.size(), kChecksum);
  return dsdt;
}

}  // namespace kite
