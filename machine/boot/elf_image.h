// ElfImage: what loading a kernel needs from an ELF file, 32- or 64-bit.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

struct ElfImage {
  struct Segment {  // PT_LOAD
    Gpa physical = 0;
    u64 linear = 0;
    std::span<const u8> bytes;
    u64 size = 0;  // in memory, at least bytes.size()
  };

  bool is_64_bit = false;
  u64 entry = 0;
  std::vector<Segment> segments;  // empty ones left out
  std::optional<u64> pvh_entry;   // of the note XEN_ELFNOTE_PHYS32_ENTRY

  Gpa start() const;  // the lowest physical address
  Gpa end() const;    // one past the highest
  // `address` as physical: where it lies in no segment's physical range but in a linear one, the
  // place in RAM that backs it.
  u64 physical(u64 address) const;
};

bool is_elf(std::span<const u8> bytes);

// An executable for an x86 processor; anything else, and headers that point outside the file, are
// ErrorKind::kData. `name` is for messages. The image refers to `bytes`.
Result<ElfImage> parse_elf(std::span<const u8> bytes, std::string_view name);

}  // namespace kite
