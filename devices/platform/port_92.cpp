#include "devices/platform/port_92.h"

namespace kite {

namespace {
constexpr u8 kInitNow = 0x01;
constexpr u8 kAltA20Gate = 0x02;
}  // namespace

void Port92::reset() {
  std::lock_guard lock(mutex_);
  value_ = 0;
  a20_.lower();
}

void Port92::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("value", value_);
  if (!archive.is_saving()) a20_.set(value_ & kAltA20Gate);
}

u8 Port92::read_byte(u64) {
  std::lock_guard lock(mutex_);
  return value_;
}

void Port92::write_byte(u64, u8 value) {
  bool rising;
  {
    std::lock_guard lock(mutex_);
    rising = (value & kInitNow) && !(value_ & kInitNow);
    if ((value ^ value_) & kAltA20Gate) a20_.set(value & kAltA20Gate);
    value_ = value & (kInitNow | kAltA20Gate);
  }
  if (rising && on_reset_) on_reset_();
}

}  // namespace kite
