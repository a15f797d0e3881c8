// The families of instructions that the generator knows. Each function writes one instruction into
// a draft whose surroundings are there already, and what the instruction needs.
#pragma once

#include <span>

#include "tests/isa/ring0/draft.h"

namespace kite::ring0 {

struct Family {
  std::string_view name;
  void (*write)(Draft&);
};

std::span<const Family> control_families();   // CRn, DRn, MSRs, TLB, XCR0, time
std::span<const Family> segment_families();   // tables, selectors, LAR…
std::span<const Family> transfer_families();  // far branches, interrupts, fast system calls
std::span<const Family> access_families();    // stack, memory, ports, flags

}  // namespace kite::ring0
