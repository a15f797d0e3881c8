// What differs between two outcomes of a case.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/isa/ring0/case.h"

namespace kite::ring0 {

struct Difference {
  std::string field;  // "rip", "cs.base", "memory:gdt"
  u64 kvm = 0, ours = 0;
  u32 address = 0;  // of the first byte in memory that differs; the values are eight bytes there
};

std::vector<Difference> differences(const Case& test, const Outcome& kvm, const Outcome& ours);

// The vector whose handler `outcome` has reached; -1 if none.
int vector_of(const Outcome& outcome);

// The part of memory at `address`.
std::string_view place_name(u32 address);

// Everything that is needed to think about it.
std::string describe(const Case& test, const Outcome& kvm, const Outcome& ours,
                     const std::vector<Difference>& found);

}  // namespace kite::ring0
