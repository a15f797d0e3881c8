// ExitPort: a port through which the guest ends the run with a status of its own.
#pragma once

#include <functional>

#include "devices/device.h"
#include "memory/region.h"

namespace kite {

// As QEMU's isa-debug-exit: writing `value` ends the run with status (value << 1) | 1. Reads are 0.
// Four bytes wide; there is no state.
class ExitPort : public Device, public IoHandler {
 public:
  static constexpr u64 kSize = 4;

  explicit ExitPort(std::function<void(u32 status)> on_exit) : on_exit_(std::move(on_exit)) {}

  std::string_view name() const override { return "exit_port"; }
  void reset() override {}
  void transfer(Archive&) override {}
  u64 read(u64, unsigned) override { return 0; }
  void write(u64 offset, u64 value, unsigned size) override;

 private:
  std::function<void(u32)> on_exit_;
};

}  // namespace kite
