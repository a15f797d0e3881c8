// MADT (ACPI 6.5 5.2.12) and HPET table (IA-PC HPET specification 3.2.4).
#include "firmware/acpi_parts.h"
#include "firmware/acpi_table.h"

namespace kite {

namespace {

constexpr u32 kPcatCompatible = 1;  // there are 8259s, to be masked
enum EntryType : u8 {
  kLocalApic = 0,
  kIoApic = 1,
  kOverride = 2,
  kLocalApicNmi = 4,
  kLocalX2Apic = 9,
  kLocalX2ApicNmi = 10
};
constexpr u32 kEnabled = 1, kOnlineCapable = 2;
constexpr u16 kActiveHigh = 1, kActiveLow = 3, kEdge = 1 << 2, kLevel = 3 << 2;
constexpr u8 kNmiPin = 1;  // LINT1

bool needs_x2apic(u32 uid, u32 apic_id) {
  return apic_id >= 0xff || uid >= 0xff;
}

void add_processors(AcpiTable& table, const AcpiFacts& facts) {
  for (u32 uid = 0; uid < facts.cpus.size(); ++uid) {
    const auto& cpu = facts.cpus[uid];
    const u32 flags = cpu.enabled ? kEnabled : kOnlineCapable;
    if (needs_x2apic(uid, cpu.apic_id)) {
      table.add<u8>(kLocalX2Apic).add<u8>(16).add<u16>(0);
      table.add<u32>(cpu.apic_id).add<u32>(flags).add<u32>(uid);
    } else {
      table.add<u8>(kLocalApic).add<u8>(8).add<u8>(static_cast<u8>(uid));
      table.add<u8>(static_cast<u8>(cpu.apic_id)).add<u32>(flags);
    }
  }
}

void add_overrides(AcpiTable& table, const AcpiFacts& facts) {
  for (const auto& source : facts.overrides) {
    const u16 polarity = source.active_low ? kActiveLow : kActiveHigh;
    const u16 trigger = source.level ? kLevel : kEdge;
    table.add<u8>(kOverride).add<u8>(10).add<u8>(0).add<u8>(source.irq);
    table.add<u32>(source.gsi).add<u16>(polarity | trigger);
  }
}

// NMI comes in at LINT1 of every processor.
void add_nmis(AcpiTable& table, const AcpiFacts& facts) {
  table.add<u8>(kLocalApicNmi).add<u8>(6).add<u8>(0xff).add<u16>(0).add<u8>(kNmiPin);
  for (u32 uid = 0; uid < facts.cpus.size(); ++uid) {
    if (!needs_x2apic(uid, facts.cpus[uid].apic_id)) continue;
    table.add<u8>(kLocalX2ApicNmi).add<u8>(12).add<u16>(0).add<u32>(0xffffffff);
    table.add<u8>(kNmiPin).add_zeros(3);
    return;
  }
}

}  // namespace

std::vector<u8> acpi_madt(const AcpiFacts& facts) {
  AcpiTable table("APIC", 5);
  table.add<u32>(static_cast<u32>(facts.lapic_address));
  table.add<u32>(facts.has_8259 ? kPcatCompatible : 0);
  add_processors(table, facts);
  for (const auto& ioapic : facts.ioapics) {
    table.add<u8>(kIoApic).add<u8>(12).add<u8>(ioapic.id).add<u8>(0);
    table.add<u32>(static_cast<u32>(ioapic.address)).add<u32>(ioapic.gsi_base);
  }
  add_overrides(table, facts);
  add_nmis(table, facts);
  return table.finish();
}

std::vector<u8> acpi_hpet(Gpa address) {
  constexpr u32 kEventTimerBlock = 0x8086a201;  // Intel, legacy routing, 64-bit, 3 comparators
  constexpr u16 kMinimumTick = 128;
  AcpiTable table("HPET", 1);
  table.add<u32>(kEventTimerBlock).add_memory_address(address);
  table.add<u8>(0).add<u16>(kMinimumTick).add<u8>(0);
  return table.finish();
}

}  // namespace kite
