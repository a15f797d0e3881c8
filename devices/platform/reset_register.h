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

 protected:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

 private:
  std::function<void()> on_reset_;  // called without the lock
  std::mutex mutex_;                // guards value_
  u8 value_ = 0;
};

}  // namespace kite
