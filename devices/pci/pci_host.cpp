#include "devices/pci/pci_host.h"

#include "base/bits.h"

namespace kite {

namespace {

constexpr u32 kEnable = u32{1} << 31;
constexpr u32 kWritable = kEnable | 0xff'fffc;  // bits 30–24 and 1–0 are reserved and read as 0
constexpr u64 kBehindOffset = 1;

}  // namespace

void PciHost::plug(unsigned device, unsigned function, PciFunction& pci_function) {
  functions_[device << 3 | function] = &pci_function;
}

void PciHost::reset() {
  std::lock_guard lock(mutex_);
  config_address_ = 0;
}

void PciHost::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("config_address", config_address_);
  config_address_ &= kWritable;
}

u64 PciHost::AddressPorts::read(u64 offset, unsigned size) {
  if (size == 4) {
    std::lock_guard lock(host.mutex_);
    return host.config_address_;
  }
  if (size == 1 && offset == kBehindOffset && host.behind_address_)
    return host.behind_address_->read(0, 1);
  return mask_of_bytes(size);
}

void PciHost::AddressPorts::write(u64 offset, u64 value, unsigned size) {
  if (size == 4) {
    std::lock_guard lock(host.mutex_);
    host.config_address_ = static_cast<u32>(value) & kWritable;
  } else if (size == 1 && offset == kBehindOffset && host.behind_address_) {
    host.behind_address_->write(0, value, 1);
  }
}

PciHost::Target PciHost::target(u64 offset) {
  std::lock_guard lock(mutex_);
  const bool bus_0 = bits(config_address_, 23, 16) == 0;
  if (!(config_address_ & kEnable) || !bus_0) return {};
  return {functions_[bits(config_address_, 15, 8)],
          static_cast<u8>(bits(config_address_, 7, 2) << 2 | offset)};
}

// Nobody there is a master abort: all ones (PCI 2.1 3.7.4).
u64 PciHost::DataPorts::read(u64 offset, unsigned size) {
  const Target target = host.target(offset);
  return target.function ? target.function->read_config(target.offset, size) : mask_of_bytes(size);
}

void PciHost::DataPorts::write(u64 offset, u64 value, unsigned size) {
  const Target target = host.target(offset);
  if (target.function) target.function->write_config(target.offset, static_cast<u32>(value), size);
}

}  // namespace kite
