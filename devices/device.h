// Device: a chip. Complete when constructed, with exactly what it is wired to.
#pragma once

#include <string_view>

#include "base/archive.h"

namespace kite {

// A chip knows the offsets of its registers (IoHandler), never addresses, the machine or a vCPU. It
// guards its own state with its own lock, because vCPUs and the I/O loop call it.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;
  // RESET# asserted: back to the state after construction (what a battery keeps, stays).
  virtual void reset() = 0;
  // RESET# at the end of suspend to RAM (ACPI S3). What kept its power meanwhile keeps its state.
  virtual void reset_after_sleep() { reset(); }
  // Saves or loads everything the guest could tell apart.
  virtual void transfer(Archive& archive) = 0;
};

}  // namespace kite
