// The single ACPI tables, each from the facts to finished bytes.
#pragma once

#include <span>
#include <vector>

#include "firmware/acpi.h"

namespace kite {

// Compiled from firmware/dsdt.asl when Kite is built.
std::span<const u8> compiled_dsdt();

std::vector<u8> acpi_dsdt(const AcpiFacts& facts);
std::vector<u8> acpi_ssdt(const AcpiFacts& facts);
std::vector<u8> acpi_fadt(const AcpiFacts& facts, Gpa facs, Gpa dsdt);
std::vector<u8> acpi_facs();
std::vector<u8> acpi_madt(const AcpiFacts& facts);
std::vector<u8> acpi_hpet(Gpa address);

}  // namespace kite
