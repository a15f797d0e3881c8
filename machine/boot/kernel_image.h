// Kernel images: what kind a file is, and what has to be in RAM and in the processor to start it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "accel/x86/state.h"
#include "base/result.h"
#include "firmware/e820.h"
#include "memory/address_space.h"

namespace kite {

struct BootRequest {
  std::string kernel_name;  // for messages
  std::span<const u8> kernel;
  std::string initrd_name;
  std::span<const u8> initrd;  // empty: none
  std::string command_line;
  std::vector<E820Entry> memory_map;  // of e820_map()
  Gpa rsdp = 0;                       // 0: no ACPI tables
};

// Bytes to be in guest RAM; from bytes.size() to `size` it is zeros.
struct LoadPiece {
  Gpa address = 0;
  std::span<const u8> bytes;  // in BootPlan::storage or in the request's spans
  u64 size = 0;
};

struct BootPlan {
  std::string description;  // "bzImage 6.1.0-13-cloud-amd64, xz, 64-bit ELF"
  std::vector<LoadPiece> pieces;
  X86State entry;  // of the boot processor
  std::vector<std::vector<u8>> storage;
};

// Finds out what the file is and plans its start. Every unusable file is one line of
// ErrorKind::kData: what it is, and what was expected. The request's spans outlive the plan.
Result<BootPlan> plan_boot(const BootRequest& request);

// Puts the pieces into guest RAM.
Result<> load(const BootPlan& plan, AddressSpace& memory);

}  // namespace kite
