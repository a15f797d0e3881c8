#include "firmware/acpi.h"

#include <algorithm>

#include "firmware/acpi_parts.h"
#include "firmware/acpi_table.h"

namespace kite {

namespace {

constexpr u64 kRsdpSize = 36, kRsdpLegacySize = 20;
constexpr u64 kFacsAlignment = 64;  // ACPI 6.5 5.2.10
constexpr u64 kAlignment = 16;

// Tables one after the other, each at an address that is known when it is put there.
class Assembly {
 public:
  explicit Assembly(Gpa base) : base_(base), bytes_(kRsdpSize) {}

  Gpa put(std::span<const u8> table, u64 alignment = kAlignment) {
    const u64 offset = align_up(bytes_.size(), alignment);
    bytes_.resize(offset);
    bytes_.insert(bytes_.end(), table.begin(), table.end());
    return base_ + offset;
  }
  std::vector<u8>& bytes() { return bytes_; }

 private:
  Gpa base_;
  std::vector<u8> bytes_;
};

template <class Address>
std::vector<u8> root_table(std::string_view signature, const std::vector<Gpa>& tables) {
  AcpiTable table(signature, 1);
  for (const Gpa address : tables) table.add<Address>(static_cast<Address>(address));
  return table.finish();
}

// ACPI 6.5 5.2.5.3.
void fill_rsdp(std::vector<u8>& bytes, Gpa rsdt, Gpa xsdt) {
  constexpr u64 kChecksum = 8, kOemId = 9, kRevision = 15, kRsdt = 16, kLength = 20, kXsdt = 24,
                kExtendedChecksum = 32;
  std::copy_n("RSD PTR ", 8, bytes.begin());
  std::copy_n(kAcpiOemId.begin(), 6, bytes.begin() + kOemId);
  bytes[kRevision] = 2;
  store<u32>(&bytes[kRsdt], static_cast<u32>(rsdt));
  store<u32>(&bytes[kLength], kRsdpSize);
  store<u64>(&bytes[kXsdt], xsdt);
  set_checksum(bytes, 0, kRsdpLegacySize, kChecksum);
  set_checksum(bytes, 0, kRsdpSize, kExtendedChecksum);
}

}  // namespace

Result<AcpiTables> acpi_tables(const AcpiFacts& facts, Gpa address, u64 limit) {
  Assembly assembly(address);
  const Gpa facs = assembly.put(acpi_facs(), kFacsAlignment);
  const Gpa dsdt = assembly.put(acpi_dsdt(facts));
  std::vector<Gpa> tables = {assembly.put(acpi_fadt(facts, facs, dsdt)),
                             assembly.put(acpi_madt(facts))};
  if (facts.hpet) tables.push_back(assembly.put(acpi_hpet(*facts.hpet)));
  tables.push_back(assembly.put(acpi_ssdt(facts)));
  const Gpa rsdt = assembly.put(root_table<u32>("RSDT", tables));
  const Gpa xsdt = assembly.put(root_table<u64>("XSDT", tables));
  auto& bytes = assembly.bytes();
  fill_rsdp(bytes, rsdt, xsdt);
  if (bytes.size() > limit)
    return fail(ErrorKind::kUsage,
                "ACPI tables for {} processors take {} bytes, and {} is the most",
                facts.cpus.size(), bytes.size(), limit);
  return AcpiTables{std::move(bytes), address, facs};
}

}  // namespace kite
