// The XSAVE area: which state components there are, and where each lies (SDM 1 13.4).
#pragma once

#include <algorithm>
#include <array>

#include "accel/x86/registers.h"

namespace kite::xsave {

inline constexpr unsigned kLegacySize = 512;
inline constexpr unsigned kHeaderAt = 512, kHeaderSize = 64;
inline constexpr unsigned kExtendedAt = kHeaderAt + kHeaderSize;

// A component beyond the legacy region. None is aligned to 64 bytes in the compacted form, none is
// a supervisor's.
struct Component {
  unsigned number;  // bit of XCR0, sub-leaf of CPUID leaf 0Dh
  unsigned size;
  unsigned standard_offset;
  constexpr u64 mask() const { return u64{1} << number; }
};
// The standard offsets are those of an AMD processor without AVX-512: one follows the other.
inline constexpr std::array<Component, 2> kComponents = {{{2, 256, 576}, {9, 8, 832}}};

// Bytes of an area in the standard form that holds `components` (bits of XCR0).
constexpr unsigned standard_size(u64 components) {
  unsigned size = kExtendedAt;
  for (const Component& c : kComponents)
    if (components & c.mask()) size = std::max(size, c.standard_offset + c.size);
  return size;
}

// The same in the compacted form: the components stand one behind the other.
constexpr unsigned compacted_size(u64 components) {
  unsigned size = kExtendedAt;
  for (const Component& c : kComponents)
    if (components & c.mask()) size += c.size;
  return size;
}

}  // namespace kite::xsave
