// MP table: processors and interrupt wiring for kernels without ACPI (Intel MultiProcessor
// Specification 1.4).
#pragma once

#include <vector>

#include "base/types.h"
#include "firmware/acpi.h"

namespace kite {

// The floating pointer structure, then the configuration table, from the same facts as the ACPI
// tables. `address` is a multiple of 16. Processors whose APIC id does not fit in 8 bits are left
// out, as the format demands.
std::vector<u8> mp_table(const AcpiFacts& facts, Gpa address);

}  // namespace kite
