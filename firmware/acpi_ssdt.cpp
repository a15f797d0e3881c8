// The SSDT: the devices of which a board has a varying number.
#include <fmt/format.h>

#include "firmware/acpi_parts.h"
#include "firmware/acpi_table.h"
#include "firmware/aml.h"

namespace kite {

namespace {

constexpr u32 kVirtioMmioSize = 0x200;

aml::Code processor(u32 uid) {
  aml::Code body = aml::name_string("_HID", "ACPI0007");
  aml::append(body, aml::name_integer("_UID", uid));
  return aml::device(fmt::format("C{:03X}", uid), body);
}

aml::Code virtio_mmio(u32 uid, const AcpiFacts::VirtioMmio& transport) {
  aml::Code resources = aml::memory32(static_cast<u32>(transport.address), kVirtioMmioSize);
  aml::append(resources, aml::interrupt(transport.gsi));
  aml::append(resources, aml::end_tag());
  aml::Code body = aml::name_string("_HID", "LNRO0005");
  aml::append(body, aml::name_integer("_UID", uid));
  aml::append(body, aml::name_integer("_CCA", 1));
  aml::append(body, aml::name_buffer("_CRS", resources));
  return aml::device(fmt::format("V{:03X}", uid), body);
}

}  // namespace

std::vector<u8> acpi_ssdt(const AcpiFacts& facts) {
  AcpiTable table("SSDT", 2);
  aml::Code devices;
  for (u32 i = 0; i < facts.cpus.size(); ++i) aml::append(devices, processor(i));
  for (u32 i = 0; i < facts.virtio_mmio.size(); ++i)
    aml::append(devices, virtio_mmio(i, facts.virtio_mmio[i]));
  table.add_bytes(aml::scope("\\_SB_", devices));
  return table.finish();
}

}  // namespace kite
