// ByteRegisters: the register side of a chip whose bus is eight bits wide.
#pragma once

#include "memory/region.h"

namespace kite {

// A wider access reaches such a chip as byte accesses to consecutive offsets, lowest first, as the
// bus controller would split it.
class ByteRegisters : public IoHandler {
 public:
  u64 read(u64 offset, unsigned size) final {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) value |= u64{read_byte(offset + i)} << (8 * i);
    return value;
  }
  void write(u64 offset, u64 value, unsigned size) final {
    for (unsigned i = 0; i < size; ++i) write_byte(offset + i, static_cast<u8>(value >> (8 * i)));
  }

 protected:
  virtual u8 read_byte(u64 offset) = 0;
  virtual void write_byte(u64 offset, u8 value) = 0;
};

}  // namespace kite
