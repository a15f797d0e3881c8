// ResetRegister: the reset control register of Intel's south bridges (port CF9h).
#pragma once

#include <functional>
#include <mutex>

#include "devices/byte_registers.h"
#include "devices/device.h"

namespace kite {

// ICH9 data sheet 13.7.5, RST_CNT. One byte. The rising edge of RST_CPU resets the machine; SYS_RST
// and FULL_RST say how thoroughly, which makes no difference here: all of it.
class ResetRegister : public Device, public ByteRegisters {
 public:
  static constexpr u64 kSize = 1;
  static constexpr u8 kResetValue = 0x06;  // what the FADT's RESET_VALUE says: SYS_RST and RST_CPU

  explicit ResetRegister(std::function<void()> on_reset) : on_reset_(std::move(on_reset)) {}

  std::string_view name() const override { return "reset_register"; }
  void reset() override;
  void transfer(Archive& archive) override;

  // Four ports of which the register is the second: CF8h to CFBh. As on the chip it answers to
  // bytes only, because a doubleword at CF8h is the PCI bus's CONFIG_ADDRESS.
  IoHandler& config_address_ports() { return ports_; }

 protected:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

 private:
  class Ports : public IoHandler {
   public:
    explicit Ports(ResetRegister& chip) : chip_(chip) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

   private:
    ResetRegister& chip_;
  };

  Ports ports_{*this};
  std::function<void()> on_reset_;  // called without the lock
  std::mutex mutex_;                // guards value_
  u8 value_ = 0;
};

}  // namespace kite
