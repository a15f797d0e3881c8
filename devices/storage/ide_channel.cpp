#include "devices/storage/ide_channel.h"

#include "base/bits.h"

namespace kite {

namespace {

enum : u64 {
  kData,
  kErrorOrFeature,
  kCount,
  kLbaLow,
  kLbaMid,
  kLbaHigh,
  kDevice,
  kStatusOrCommand,
};
constexpr u8 kNien = 0x02, kSrst = 0x04, kHob = 0x80;  // device control
constexpr u8 kExecuteDiagnostic = 0x90;
constexpr u8 kNobody = 0x7f;  // DD7 is pulled down, so that an empty cable is not busy (ATA-4 4.1)

std::array<u8, 2>* pair_of(IdeTaskFile& task, u64 offset) {
  switch (offset) {
    case kErrorOrFeature:
      return &task.feature;
    case kCount:
      return &task.count;
    case kLbaLow:
      return &task.lba_low;
    case kLbaMid:
      return &task.lba_mid;
    case kLbaHigh:
      return &task.lba_high;
    default:
      return nullptr;
  }
}

}  // namespace

IdeChannel::IdeChannel(Line intrq, std::unique_ptr<IdeDrive> device_0,
                       std::unique_ptr<IdeDrive> device_1)
    : intrq_(std::move(intrq)), drives_{std::move(device_0), std::move(device_1)} {}

void IdeChannel::reset() {
  std::lock_guard lock(mutex_);
  device_control_ = 0;
  reset_drives();
  update();
}

void IdeChannel::reset_drives() {
  selected_ = 0;
  for (auto& drive : drives_)
    if (drive) drive->reset();
}

void IdeChannel::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("selected", selected_);
  archive.field("device_control", device_control_);
  selected_ &= 1;
  for (auto& drive : drives_)
    if (drive) drive->transfer(archive);
  update();
}

void IdeChannel::update() {
  const bool level = selected() && selected()->interrupt() && !(device_control_ & (kNien | kSrst));
  if (level == level_) return;
  level_ = level;
  intrq_.set(level);
}

// Device 0 answers for a device 1 that is not there, with a status of 0 (ATA-4 9.16.1).
u8 IdeChannel::status() {
  if (empty()) return kNobody;
  if (device_control_ & kSrst) return ide::kBsy;
  return selected() ? selected()->status() : u8{0};
}

u8 IdeChannel::read_register(u64 offset) {
  if (empty()) return kNobody;
  if (offset == kStatusOrCommand) {
    const u8 value = status();
    if (selected()) selected()->acknowledge();
    update();
    return value;
  }
  IdeDrive& drive = selected() ? *selected() : *drives_[selected_ ^ 1];
  if (offset == kDevice)
    return static_cast<u8>((drive.task().device & ~ide::kDev) | ide::kHeadAlwaysOne |
                           (selected_ ? ide::kDev : 0));
  if (offset == kErrorOrFeature) return selected() ? drive.error() : u8{0};
  return (*pair_of(drive.task(), offset))[device_control_ & kHob ? 1 : 0];
}

// Both drives hear every write; only commands are for the selected one.
void IdeChannel::write_register(u64 offset, u8 value) {
  device_control_ &= static_cast<u8>(~kHob);
  if (device_control_ & kSrst) return;
  if (offset == kStatusOrCommand) return command(value);
  if (offset == kDevice) selected_ = value & ide::kDev ? 1 : 0;
  for (auto& drive : drives_) {
    if (!drive) continue;
    if (offset == kDevice) {
      drive->task().device = value;
    } else {
      auto& pair = *pair_of(drive->task(), offset);
      pair = {value, pair[0]};
    }
  }
  update();
}

void IdeChannel::command(u8 value) {
  if (value == kExecuteDiagnostic) {
    selected_ = 0;
    for (auto& drive : drives_)
      if (drive) drive->execute(value);
  } else if (selected()) {
    selected()->acknowledge();
    selected()->execute(value);
  }
  update();
}

// The drives are reset when SRST is released.
void IdeChannel::write_control(u8 value) {
  const bool released = (device_control_ & kSrst) && !(value & kSrst);
  device_control_ = value & (kNien | kSrst | kHob);
  if (released) reset_drives();
  update();
}

u64 IdeChannel::CommandPorts::read(u64 offset, unsigned size) {
  std::lock_guard lock(channel.mutex_);
  u64 value = 0;
  if (offset == kData) {
    IdeDrive* drive = channel.device_control_ & kSrst ? nullptr : channel.selected();
    for (unsigned i = 0; i < size; i += 2)
      value |= u64{drive ? drive->read_data() : u16{0xffff}} << (8 * i);
    channel.update();
    return value & mask_of_bytes(size);
  }
  for (unsigned i = 0; i < size; ++i) value |= u64{channel.read_register(offset + i)} << (8 * i);
  return value;
}

void IdeChannel::CommandPorts::write(u64 offset, u64 value, unsigned size) {
  std::lock_guard lock(channel.mutex_);
  if (offset == kData) {
    IdeDrive* drive = channel.device_control_ & kSrst ? nullptr : channel.selected();
    for (unsigned i = 0; drive && i < size; i += 2)
      drive->write_data(static_cast<u16>(value >> (8 * i)));
    return channel.update();
  }
  for (unsigned i = 0; i < size; ++i)
    channel.write_register(offset + i, static_cast<u8>(value >> (8 * i)));
}

u64 IdeChannel::ControlPorts::read(u64, unsigned) {
  std::lock_guard lock(channel.mutex_);
  return channel.status();
}

void IdeChannel::ControlPorts::write(u64, u64 value, unsigned) {
  std::lock_guard lock(channel.mutex_);
  channel.write_control(static_cast<u8>(value));
}

}  // namespace kite
