#include "firmware/mp_table.h"

#include <span>
#include <string_view>

#include "base/bits.h"

namespace kite {

namespace {

constexpr u64 kFloatingPointerSize = 16;
enum EntryType : u8 {
  kProcessor = 0,
  kBus = 1,
  kIoApic = 2,
  kIoInterrupt = 3,
  kLocalInterrupt = 4
};
enum InterruptType : u8 { kVectored = 0, kNmi = 1, kExtInt = 3 };
constexpr u8 kEnabled = 1, kBootProcessor = 2;
constexpr u32 kSignature = 0x600, kFeatures = 1 << 0 | 1 << 9;  // FPU, APIC
constexpr u8 kLapicVersion = 0x14, kIoApicVersion = 0x11;
constexpr u8 kIsaBus = 0, kIsaInterrupts = 16, kCascade = 2, kAllApics = 0xff;
constexpr u16 kConforms = 0, kActiveHigh = 1, kActiveLow = 3, kEdge = 1 << 2, kLevel = 3 << 2;

class Writer {
 public:
  template <class T>
  Writer& add(std::type_identity_t<T> value) {
    const auto at = bytes.size();
    bytes.resize(at + sizeof(T));
    store<T>(&bytes[at], value);
    return *this;
  }
  Writer& text(std::string_view value) {
    for (const char c : value) bytes.push_back(static_cast<u8>(c));
    return *this;
  }
  // The first byte of an entry: counts it.
  Writer& entry(EntryType type) {
    ++entries;
    return add<u8>(type);
  }

  std::vector<u8> bytes;
  u16 entries = 0;
};

void add_processors(Writer& table, const AcpiFacts& facts) {
  for (std::size_t i = 0; i < facts.cpus.size(); ++i) {
    const auto& cpu = facts.cpus[i];
    if (cpu.apic_id >= kAllApics) continue;
    const u8 flags = static_cast<u8>((cpu.enabled ? kEnabled : 0) | (i == 0 ? kBootProcessor : 0));
    table.entry(kProcessor).add<u8>(static_cast<u8>(cpu.apic_id)).add<u8>(kLapicVersion);
    table.add<u8>(flags).add<u32>(kSignature).add<u32>(kFeatures).add<u32>(0).add<u32>(0);
  }
}

void add_isa_interrupt(Writer& table, const AcpiFacts& facts, u8 irq) {
  u32 gsi = irq;
  u16 flags = kConforms;
  for (const auto& source : facts.overrides) {
    if (source.irq != irq) continue;
    gsi = source.gsi;
    flags = static_cast<u16>((source.active_low ? kActiveLow : kActiveHigh) |
                             (source.level ? kLevel : kEdge));
  }
  for (auto ioapic = facts.ioapics.rbegin(); ioapic != facts.ioapics.rend(); ++ioapic) {
    if (gsi < ioapic->gsi_base) continue;
    table.entry(kIoInterrupt).add<u8>(kVectored).add<u16>(flags).add<u8>(kIsaBus).add<u8>(irq);
    table.add<u8>(ioapic->id).add<u8>(static_cast<u8>(gsi - ioapic->gsi_base));
    return;
  }
}

void add_interrupts(Writer& table, const AcpiFacts& facts) {
  for (u8 irq = 0; irq < kIsaInterrupts; ++irq)
    if (irq != kCascade) add_isa_interrupt(table, facts, irq);
  // The 8259 at LINT0, NMI at LINT1, of every processor.
  if (facts.has_8259)
    table.entry(kLocalInterrupt)
        .add<u8>(kExtInt)
        .add<u16>(kConforms)
        .add<u8>(kIsaBus)
        .add<u8>(0)
        .add<u8>(kAllApics)
        .add<u8>(0);
  table.entry(kLocalInterrupt).add<u8>(kNmi).add<u16>(kConforms).add<u8>(kIsaBus).add<u8>(0);
  table.add<u8>(kAllApics).add<u8>(1);
}

void set_checksum(std::span<u8> bytes, u64 checksum) {
  u8 sum = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  bytes[checksum] = static_cast<u8>(bytes[checksum] - sum);
}

// MP 1.4 table 4-1; the version is that of the specification.
void add_floating_pointer(Writer& table, Gpa address) {
  constexpr u8 kRevision = 4;
  table.text("_MP_").add<u32>(static_cast<u32>(address + kFloatingPointerSize));
  table.add<u8>(1).add<u8>(kRevision).add<u8>(0).add<u8>(0).add<u32>(0);
}

void add_header(Writer& table, const AcpiFacts& facts) {
  constexpr u8 kRevision = 4;
  table.text("PCMP").add<u16>(0).add<u8>(kRevision).add<u8>(0);
  table.text("KITE    ").text("KITE        ").add<u32>(0).add<u16>(0).add<u16>(0);
  table.add<u32>(static_cast<u32>(facts.lapic_address)).add<u16>(0).add<u8>(0).add<u8>(0);
}

}  // namespace

std::vector<u8> mp_table(const AcpiFacts& facts, Gpa address) {
  constexpr u64 kLength = 4, kChecksum = 7, kEntryCount = 34, kPointerChecksum = 10;
  Writer table;
  add_floating_pointer(table, address);
  add_header(table, facts);
  add_processors(table, facts);
  table.entry(kBus).add<u8>(kIsaBus).text("ISA   ");
  for (const auto& ioapic : facts.ioapics) {
    table.entry(kIoApic).add<u8>(ioapic.id).add<u8>(kIoApicVersion).add<u8>(kEnabled);
    table.add<u32>(static_cast<u32>(ioapic.address));
  }
  add_interrupts(table, facts);
  const auto configuration = std::span(table.bytes).subspan(kFloatingPointerSize);
  store<u16>(&configuration[kLength], static_cast<u16>(configuration.size()));
  store<u16>(&configuration[kEntryCount], table.entries);
  set_checksum(configuration, kChecksum);
  set_checksum(std::span(table.bytes).first(kFloatingPointerSize), kPointerChecksum);
  return std::move(table.bytes);
}

}  // namespace kite
