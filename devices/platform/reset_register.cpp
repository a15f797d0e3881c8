#include "devices/platform/reset_register.h"

namespace kite {

namespace {
constexpr u8 kSysRst = 0x02;
constexpr u8 kRstCpu = 0x04;
constexpr u8 kFullRst = 0x08;
}  // namespace

void ResetRegister::reset() {
  std::lock_guard lock(mutex_);
  value_ = 0;
}

void ResetRegister::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("value", value_);
}

u8 ResetRegister::read_byte(u64) {
  std::lock_guard lock(mutex_);
  return value_;
}

void ResetRegister::write_byte(u64, u8 value) {
  bool rising;
  {
    std::lock_guard lock(mutex_);
    rising = (value & kRstCpu) && !(value_ & kRstCpu);
    value_ = value & (kSysRst | kRstCpu | kFullRst);
  }
  if (rising && on_reset_) on_reset_();
}

u64 ResetRegister::Ports::read(u64 offset, unsigned size) {
  return offset == 1 && size == 1 ? chip_.read(0, 1) : ~u64{0};
}

void ResetRegister::Ports::write(u64 offset, u64 value, unsigned size) {
  if (offset == 1 && size == 1) chip_.write(0, value, 1);
}

}  // namespace kite
