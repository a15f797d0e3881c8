// Wider accesses to chips whose registers are bytes: done as a bus of eight data lines does them.
#pragma once

#include "base/types.h"

namespace kite {

template <class ReadByte>
u64 read_bytes(u64 offset, unsigned size, ReadByte read_byte) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i)
    value |= u64{static_cast<u8>(read_byte(offset + i))} << (8 * i);
  return value;
}

template <class WriteByte>
void write_bytes(u64 offset, u64 value, unsigned size, WriteByte write_byte) {
  for (unsigned i = 0; i < size; ++i) write_byte(offset + i, static_cast<u8>(value >> (8 * i)));
}

}  // namespace kite
