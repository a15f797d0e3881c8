// A fuzz input read as a guest's accesses to a chip that keeps time, with time that jumps.
#pragma once

#include <functional>
#include <initializer_list>

#include "base/bits.h"
#include "base/clock.h"
#include "memory/region.h"

namespace kite::fuzz {

// Time that jumps as it does for a process that was stopped: a timer that is due runs late, and a
// chip that arms one in the past again and again is found out.
class JumpingClock : public Clock {
 public:
  Nanos now() const override { return now_; }
  void jump(Nanos duration) {
    now_ = duration > kNever / 2 - now_ ? kNever / 2 : now_ + duration;
    run_due();
  }

 private:
  Nanos now_ = 0;
};

struct Registers {
  IoHandler& handler;
  u64 size;
};

// Each step takes eight bytes: what to do, which registers and how wide, an offset, a value.
// `other` gets the steps that are neither accesses nor time.
inline void run_timed_script(const u8* data, std::size_t length,
                             std::initializer_list<Registers> registers, JumpingClock& clock,
                             const std::function<void(u8, u32)>& other) {
  for (; length >= 8; data += 8, length -= 8) {
    const Registers& chosen = registers.begin()[(data[1] & 15) % registers.size()];
    const unsigned width = 1u << (data[1] >> 4 & 3);
    const u64 offset = align_down(load<u16>(data + 2) % chosen.size, width);
    const u32 value = load<u32>(data + 4);
    if (offset + width > chosen.size) continue;
    switch (data[0] & 7) {
      case 0:
        chosen.handler.read(offset, width);
        break;
      case 1:
      case 2:
        chosen.handler.write(offset, value * u64{0x1'0000'0001} & mask_of_bytes(width), width);
        break;
      case 3:  // small values are what periods and modes are made of
        chosen.handler.write(offset, value & 0xFF, width);
        break;
      case 4:  // from nanoseconds to decades
        clock.jump(static_cast<Nanos>(u64{value & 0xFFFF} << (value >> 16) % 44));
        break;
      default:
        other(data[0] >> 3, value);
    }
  }
}

}  // namespace kite::fuzz
