#include "devices/pci/pci_function.h"

namespace kite {

namespace {

// PCI 2.1 figure 6-1.
enum : u8 {
  kVendorId = 0x00,
  kDeviceId = 0x02,
  kStatusHigh = 0x07,
  kRevisionId = 0x08,
  kClassCode = 0x09,
  kHeaderType = 0x0e,
  kSubsystemVendorId = 0x2c,
  kSubsystemId = 0x2e,
};
constexpr u8 kMultiFunction = 0x80;
constexpr u8 kMediumDevsel = 0x02;  // DEVSEL timing, bits 10 and 9 of the status register

}  // namespace

PciFunction::PciFunction(const Identity& identity) {
  const auto word = [this](u8 offset, u16 value) {
    define(offset, static_cast<u8>(value));
    define(static_cast<u8>(offset + 1), static_cast<u8>(value >> 8));
  };
  word(kVendorId, identity.vendor);
  word(kDeviceId, identity.device);
  define(kStatusHigh, kMediumDevsel);
  define(kRevisionId, identity.revision);
  define(kClassCode, static_cast<u8>(identity.class_code));
  word(kClassCode + 1, static_cast<u16>(identity.class_code >> 8));
  define(kHeaderType, identity.multi_function ? kMultiFunction : u8{0});
  word(kSubsystemVendorId, identity.subsystem_vendor);
  word(kSubsystemId, identity.subsystem);
}

void PciFunction::define(u8 offset, u8 value, u8 writable) {
  initial_[offset] = config_[offset] = value;
  writable_[offset] = writable;
}

u8 PciFunction::config(u8 offset) {
  std::lock_guard lock(mutex_);
  return config_[offset];
}

u32 PciFunction::read_config(u8 offset, unsigned size) {
  std::lock_guard lock(mutex_);
  u32 value = 0;
  for (unsigned i = 0; i < size && offset + i < kConfigSize; ++i)
    value |= u32{config_[offset + i]} << (8 * i);
  return value;
}

void PciFunction::write_config(u8 offset, u32 value, unsigned size) {
  {
    std::lock_guard lock(mutex_);
    for (unsigned i = 0; i < size && offset + i < kConfigSize; ++i) {
      const u8 mask = writable_[offset + i], byte = static_cast<u8>(value >> (8 * i));
      config_[offset + i] = static_cast<u8>((config_[offset + i] & ~mask) | (byte & mask));
    }
  }
  config_changed();
}

void PciFunction::reset() {
  {
    std::lock_guard lock(mutex_);
    config_ = initial_;
  }
  config_changed();
}

void PciFunction::transfer(Archive& archive) {
  {
    std::lock_guard lock(mutex_);
    auto bytes = config_;
    archive.field("config", bytes);
    if (archive.is_saving()) return;
    // What a guest could not have written was not in the stream of a machine like this one.
    for (unsigned i = 0; i < kConfigSize; ++i)
      config_[i] = static_cast<u8>((initial_[i] & ~writable_[i]) | (bytes[i] & writable_[i]));
  }
  config_changed();
}

}  // namespace kite
