// Bit fields, alignment, sign extension and little-endian access to byte arrays.
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

#include "base/types.h"

namespace kite {

static_assert(std::endian::native == std::endian::little, "Kite's hosts are little-endian");

constexpr u64 bit(unsigned n) {
  return u64{1} << n;
}

// Bits `high`..`low` of `value`, both included, as the manuals write them.
constexpr u64 bits(u64 value, unsigned high, unsigned low) {
  return (value >> low) & (~u64{0} >> (63 - (high - low)));
}

constexpr bool is_power_of_two(u64 value) {
  return std::has_single_bit(value);
}
constexpr u64 align_down(u64 value, u64 alignment) {
  return value & ~(alignment - 1);
}
constexpr u64 align_up(u64 value, u64 alignment) {
  return align_down(value + alignment - 1, alignment);
}
constexpr bool is_aligned(u64 value, u64 alignment) {
  return (value & (alignment - 1)) == 0;
}

// All ones in the lowest `bytes` bytes; `bytes` is 1 to 8.
constexpr u64 mask_of_bytes(unsigned bytes) {
  return ~u64{0} >> (64 - 8 * bytes);
}

// The lowest `width` bits of `value`, read as a signed number.
constexpr i64 sign_extend(u64 value, unsigned width) {
  return static_cast<i64>(value << (64 - width)) >> (64 - width);
}

// An unaligned object at `from`, in the host's (little-endian) order.
template <class T>
T load(const void* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store(void* to, std::type_identity_t<T> value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(to, &value, sizeof value);
}

}  // namespace kite
