// DebugConsole: a port that prints each byte written to it (port E9h, or 402h for firmware).
#pragma once

#include "devices/byte_registers.h"
#include "devices/device.h"
#include "devices/host/char_backend.h"

namespace kite {

// Bochs's port E9h: reading it gives E9h, so that a guest can tell the port is there.
class DebugConsole : public Device, public ByteRegisters {
 public:
  static constexpr u64 kSize = 1;
  static constexpr u8 kPresent = 0xe9;

  explicit DebugConsole(CharBackend& backend) : backend_(backend) {}

  std::string_view name() const override { return "debug_console"; }
  void reset() override {}
  void transfer(Archive&) override {}

 protected:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

 private:
  CharBackend& backend_;
};

}  // namespace kite
