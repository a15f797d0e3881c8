// A fuzz input read as a guest's accesses to a chip's registers.
#pragma once

#include <cstddef>
#include <functional>

#include "base/bits.h"
#include "base/clock.h"
#include "memory/region.h"

namespace kite::fuzz {

// Each step takes four bytes: what to do, an offset, two bytes of value. Reads and writes stay
// inside `size` bytes of registers, as the port space keeps them; `other` gets the steps that are
// neither.
inline void run_script(const u8* data, std::size_t length, IoHandler& chip, u64 size,
                       ManualClock& clock, const std::function<void(u8, u16)>& other = {}) {
  for (; length >= 4; data += 4, length -= 4) {
    const unsigned width = 1u << ((data[0] >> 3) & 3) % 3;
    const u64 offset = data[1] % size;
    const u16 value = load<u16>(data + 2);
    if (offset + width > size) continue;
    switch (data[0] & 7) {
      case 0:
      case 1:
        chip.read(offset, width);
        break;
      case 2:
      case 3:
      case 4:
        chip.write(offset, value * u64{0x10001}, width);
        break;
      case 5:
        clock.advance(Nanos{value} * kMicrosecond * (data[1] + 1));
        break;
      default:
        if (other) other(data[0] >> 3, value);
    }
  }
}

// Saves the chip and loads it into another, which must succeed, then loads the fuzz input itself,
// which must not do harm.
template <class Device>
void move_state(Device& from, Device& to, const u8* data, std::size_t length) {
  auto saved = Archive::saving();
  from.transfer(saved);
  auto damaged = saved.stream();
  auto loaded = Archive::loading(saved.stream());
  to.transfer(loaded);
  if (!loaded.finish()) __builtin_trap();
  for (std::size_t i = 0; i + 1 < length && i < 64; i += 2)
    damaged[load<u16>(data + i) % damaged.size()] = data[i + 1];
  auto hostile = Archive::loading(std::move(damaged));
  to.transfer(hostile);
}

}  // namespace kite::fuzz
