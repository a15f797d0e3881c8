// SMBIOS: who made the machine, as dmidecode and the kernel's DMI line show it (DMTF DSP0134 3.6).
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace kite {

struct SmbiosFacts {
  std::string vendor = "Kite";
  std::string product = "Kite";  // the board's name
  std::string version = "1";
  std::string serial = "";
  u32 cpus = 1;
  u64 ram_size = 0;
};

// The 64-bit entry point, then the structures of types 0, 1, 4, 16, 19, 32 and 127. `address` is a
// multiple of 16.
std::vector<u8> smbios_tables(const SmbiosFacts& facts, Gpa address);

}  // namespace kite
