// Port92: system control port A of the PS/2 (port 92h): fast A20 gate and fast processor reset.
#pragma once

#include <functional>
#include <mutex>

#include "base/line.h"
#include "devices/byte_registers.h"
#include "devices/device.h"

namespace kite {

// ICH9 data sheet 13.7.3, PORT92: bit 0 INIT_NOW (its rising edge resets), bit 1 ALT_A20_GATE. One
// byte. A board ors the two A20 gates it has.
class Port92 : public Device, public ByteRegisters {
 public:
  static constexpr u64 kSize = 1;

  Port92(Line a20, std::function<void()> on_reset)
      : a20_(std::move(a20)), on_reset_(std::move(on_reset)) {}

  std::string_view name() const override { return "port_92"; }
  void reset() override;
  void transfer(Archive& archive) override;

 protected:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

 private:
  Line a20_;
  std::function<void()> on_reset_;  // called without the lock
  std::mutex mutex_;                // guards value_
  u8 value_ = 0;
};

}  // namespace kite
