// Pvpanic: the port on which a guest kernel says that it has panicked (port 505h).
#pragma once

#include <functional>
#include <mutex>

#include "devices/byte_registers.h"
#include "devices/device.h"

namespace kite {

// The pvpanic device of Linux's drivers/misc/pvpanic (ACPI id QEMU0001): one byte; reading it gives
// the events the device knows, writing reports some of them.
class Pvpanic : public Device, public ByteRegisters {
 public:
  static constexpr u64 kSize = 1;
  static constexpr u8 kPanicked = 1;     // the guest has panicked; the host decides what follows
  static constexpr u8 kCrashLoaded = 2;  // the guest has panicked and runs its own crash kernel

  // `on_event` gets the known bits the guest wrote, never 0.
  explicit Pvpanic(std::function<void(u8 events)> on_event) : on_event_(std::move(on_event)) {}

  std::string_view name() const override { return "pvpanic"; }
  void reset() override {}
  void transfer(Archive&) override {}

 protected:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

 private:
  std::function<void(u8)> on_event_;
};

}  // namespace kite
