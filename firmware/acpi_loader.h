// ACPI loader: the tables as files that firmware puts where it likes, and the script that tells it
// how to tie them together (QEMU's etc/table-loader).
#pragma once

#include "firmware/acpi.h"

namespace kite {

inline constexpr const char* kAcpiTablesFile = "etc/acpi/tables";
inline constexpr const char* kAcpiRsdpFile = "etc/acpi/rsdp";
inline constexpr const char* kAcpiLoaderFile = "etc/table-loader";

struct AcpiFiles {
  std::vector<u8> tables;  // everything but the RSDP, pointers relative to this file
  std::vector<u8> rsdp;
  std::vector<u8> loader;  // commands of 128 bytes
};

Result<AcpiFiles> acpi_files(const AcpiFacts& facts, u64 limit);

}  // namespace kite
