#include "firmware/acpi_loader.h"

#include <algorithm>
#include <cstring>

#include "firmware/acpi_parts.h"
#include "firmware/acpi_table.h"

namespace kite {

namespace {

// The format is that of SeaBIOS's
// src/fw/romfile_loader.h: a command number and 124 bytes of arguments.
constexpr u64 kCommandSize = 128, kFileNameSize = 56;
enum : u32 { kAllocate = 1, kAddPointer = 2, kAddChecksum = 3 };
enum : u8 { kZoneHigh = 1, kZoneFseg = 2 };
constexpr u32 kTablesAlignment = 64;  // of the FACS
constexpr u64 kFacsSize = 64;

// A table's own checksum, and the RSDP's two.
constexpr u32 kTableChecksum = 9;
constexpr u32 kRsdpRsdt = 16, kRsdpXsdt = 24, kRsdpChecksum = 8, kRsdpExtendedChecksum = 32;
constexpr u32 kRsdpLegacySize = 20, kRsdpSize = 36;

class Script {
 public:
  void allocate(const char* file, u32 alignment, u8 zone) {
    u8* command = next(kAllocate);
    put_name(command + 4, file);
    store<u32>(command + 4 + kFileNameSize, alignment);
    command[8 + kFileNameSize] = zone;
  }
  void add_pointer(const char* in, u32 offset, u8 size) {
    u8* command = next(kAddPointer);
    put_name(command + 4, in);
    put_name(command + 4 + kFileNameSize, kAcpiTablesFile);
    store<u32>(command + 4 + 2 * kFileNameSize, offset);
    command[8 + 2 * kFileNameSize] = size;
  }
  // The byte itself is to be 0 in the file: SeaBIOS subtracts the sum from it, EDK II puts the
  // sum's negative there, and both sum it with the rest.
  void add_checksum(const char* file, u32 offset, u32 start, u32 length) {
    u8* command = next(kAddChecksum);
    put_name(command + 4, file);
    store<u32>(command + 4 + kFileNameSize, offset);
    store<u32>(command + 8 + kFileNameSize, start);
    store<u32>(command + 12 + kFileNameSize, length);
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  u8* next(u32 command) {
    bytes_.resize(bytes_.size() + kCommandSize);
    u8* at = &bytes_[bytes_.size() - kCommandSize];
    store<u32>(at, command);
    return at;
  }
  static void put_name(u8* at, const char* name) { std::memcpy(at, name, std::strlen(name)); }

  std::vector<u8> bytes_;
};

// The pointers of one table: where in it, and how wide.
std::vector<std::pair<u32, u8>> pointers_of(std::span<const u8> table) {
  const std::string_view signature(reinterpret_cast<const char*>(table.data()), 4);
  if (signature == "FACP") return {{36, 4}, {40, 4}, {140, 8}};  // FIRMWARE_CTRL, DSDT, X_DSDT
  const u8 width = signature == "RSDT" ? 4 : signature == "XSDT" ? 8 : 0;
  std::vector<std::pair<u32, u8>> pointers;
  for (u32 at = kAcpiHeaderSize; width != 0 && at + width <= table.size(); at += width)
    pointers.emplace_back(at, width);
  return pointers;
}

void link_tables(Script& script, std::span<u8> tables) {
  for (u64 at = align_up(kFacsSize, 16); at + kAcpiHeaderSize <= tables.size();) {
    const u32 length = load<u32>(&tables[at + 4]);
    const auto pointers = pointers_of(tables.subspan(at, length));
    for (const auto& [offset, size] : pointers)
      script.add_pointer(kAcpiTablesFile, static_cast<u32>(at + offset), size);
    if (!pointers.empty()) {
      tables[at + kTableChecksum] = 0;
      script.add_checksum(kAcpiTablesFile, static_cast<u32>(at + kTableChecksum),
                          static_cast<u32>(at), length);
    }
    at = align_up(at + length, 16);
  }
}

}  // namespace

// acpi_tables() puts the RSDP first and the FACS behind it, at the next multiple of 64; with an
// address that many bytes below 0 (modulo 2^32, which 32-bit pointers are), the FACS is at 0.
Result<AcpiFiles> acpi_files(const AcpiFacts& facts, u64 limit) {
  constexpr u64 kFirstTable = 64;
  auto [bytes, rsdp, facs] = KITE_TRY(acpi_tables(facts, Gpa{0} - kFirstTable, limit));
  AcpiFiles files;
  files.rsdp.assign(bytes.begin(), bytes.begin() + kRsdpSize);
  files.tables.assign(bytes.begin() + kFirstTable, bytes.end());
  Script script;
  script.allocate(kAcpiTablesFile, kTablesAlignment, kZoneHigh);
  script.allocate(kAcpiRsdpFile, 16, kZoneFseg);
  link_tables(script, files.tables);
  script.add_pointer(kAcpiRsdpFile, kRsdpRsdt, 4);
  script.add_pointer(kAcpiRsdpFile, kRsdpXsdt, 8);
  files.rsdp[kRsdpChecksum] = files.rsdp[kRsdpExtendedChecksum] = 0;
  script.add_checksum(kAcpiRsdpFile, kRsdpChecksum, 0, kRsdpLegacySize);
  script.add_checksum(kAcpiRsdpFile, kRsdpExtendedChecksum, 0, kRsdpSize);
  files.loader = script.take();
  return files;
}

}  // namespace kite
