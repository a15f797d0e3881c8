// IdeChannel: one cable: the command and control block registers and the two drives on it.
#pragma once

#include <memory>
#include <mutex>

#include "base/line.h"
#include "devices/device.h"
#include "devices/storage/ide_drive.h"
#include "memory/region.h"

namespace kite {

// ATA/ATAPI-6 chapter 7, with the 48-bit registers. Drives do what they are told at once: BSY is
// seen only while SRST is held.
class IdeChannel : public Device {
 public:
  static constexpr u64 kCommandSize = 8;  // at 1F0h: data to command
  static constexpr u64 kControlSize = 1;  // at 3F6h: alternate status, device control

  // Either drive may be absent.
  IdeChannel(Line intrq, std::unique_ptr<IdeDrive> device_0, std::unique_ptr<IdeDrive> device_1);

  IoHandler& command_ports() { return command_; }
  IoHandler& control_ports() { return control_; }

  std::string_view name() const override { return "ide"; }
  void reset() override;
  void transfer(Archive& archive) override;

 private:
  struct CommandPorts : IoHandler {
    explicit CommandPorts(IdeChannel& channel) : channel(channel) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;
    IdeChannel& channel;
  };
  struct ControlPorts : IoHandler {
    explicit ControlPorts(IdeChannel& channel) : channel(channel) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;
    IdeChannel& channel;
  };
  IdeDrive* selected() { return drives_[selected_].get(); }
  bool empty() const { return !drives_[0] && !drives_[1]; }
  u8 read_register(u64 offset);
  void write_register(u64 offset, u8 value);
  u8 status();
  void command(u8 value);
  void write_control(u8 value);
  void reset_drives();
  void update();

  Line intrq_;
  std::array<std::unique_ptr<IdeDrive>, 2> drives_;
  std::mutex mutex_;  // guards the drives and everything below
  u8 selected_ = 0;
  u8 device_control_ = 0;
  bool level_ = false;
  CommandPorts command_{*this};
  ControlPorts control_{*this};
};

}  // namespace kite
