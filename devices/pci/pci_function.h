// PciFunction: the 256 bytes of configuration space of one PCI function.
#pragma once

#include <array>
#include <mutex>

#include "devices/device.h"

namespace kite {

// PCI Local Bus 2.1 chapter 6. A chip says in its constructor which bytes hold what and which of
// their bits a guest can change; everything else reads as zero and cannot be written.
class PciFunction : public Device {
 public:
  static constexpr unsigned kConfigSize = 256;

  struct Identity {
    u16 vendor = 0x8086;
    u16 device = 0;
    u32 class_code = 0;  // base class, sub-class and programming interface, 24 bits
    u8 revision = 0;
    u16 subsystem_vendor = 0;
    u16 subsystem = 0;
    bool multi_function = false;
  };

  // `offset` is a multiple of `size`, which is 1, 2 or 4. Any thread.
  u32 read_config(u8 offset, unsigned size);
  void write_config(u8 offset, u32 value, unsigned size);

  void reset() override;
  void transfer(Archive& archive) override;

 protected:
  explicit PciFunction(const Identity& identity);

  // For constructors: the value after RESET#, and the bits that can be written.
  void define(u8 offset, u8 value, u8 writable = 0);
  u8 config(u8 offset);
  // After writes and resets, without the lock. What it does must depend on config() alone, because
  // two processors may be here at once.
  virtual void config_changed() {}

 private:
  std::array<u8, kConfigSize> initial_{}, writable_{};
  std::mutex mutex_;  // guards config_
  std::array<u8, kConfigSize> config_{};
};

}  // namespace kite
