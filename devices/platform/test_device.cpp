#include "devices/platform/test_device.h"

#include <algorithm>

namespace kite {

TestDevice::TestDevice(std::function<void(unsigned, bool)> set_interrupt)
    : interrupts_(std::move(set_interrupt)) {}

u8 TestDevice::Bytes::read_byte(u64 offset) {
  std::lock_guard lock(mutex_);
  return offset < bytes_.size() ? bytes_[offset] : 0xff;
}

void TestDevice::Bytes::write_byte(u64 offset, u8 value) {
  std::lock_guard lock(mutex_);
  if (offset < bytes_.size()) bytes_[offset] = value;
}

// Whatever its width, an access drives the one wire at its address: any bit set is "high".
void TestDevice::Interrupts::write(u64 offset, u64 value, unsigned) {
  if (set_ && offset < kInterrupts) set_(static_cast<unsigned>(offset), value != 0);
}

void TestDevice::reset() {
  std::lock_guard lock(mutex_);
  std::fill(register_.bytes().begin(), register_.bytes().end(), u8{0});
  std::fill(memory_.bytes().begin(), memory_.bytes().end(), u8{0});
}

void TestDevice::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.bytes("register", register_.bytes(), kRegisterSize);
  archive.bytes("memory", memory_.bytes(), kMemorySize);
  register_.bytes().resize(kRegisterSize);
  memory_.bytes().resize(kMemorySize);
}

}  // namespace kite
