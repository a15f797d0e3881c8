// Region: something that can be mapped into an address space: RAM, ROM, or the registers of a
// device.
#pragma once

#include <memory>
#include <string>

#include "base/types.h"

namespace kite {

class HostMemory;

// A device's side of its registers. It is told offsets, never addresses. `size` is 1, 2, 4 or 8
// (ports: 1, 2 or 4); an access never crosses the end of the region. Called on vCPU threads,
// several at a time.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  virtual u64 read(u64 offset, unsigned size) = 0;
  virtual void write(u64 offset, u64 value, unsigned size) = 0;
};

// Immutable; shared by every window that shows it.
class Region {
 public:
  enum class Kind { kRam, kRom, kMmio };

  // Memory the guest reads and writes directly. `memory` outlives the region.
  static std::shared_ptr<const Region> ram(std::string name, const HostMemory& memory);
  // Memory the guest reads directly and whose writes go to `writes`, or vanish.
  static std::shared_ptr<const Region> rom(std::string name, const HostMemory& memory,
                                           IoHandler* writes = nullptr);
  // Registers. `handler` outlives the region.
  static std::shared_ptr<const Region> mmio(std::string name, u64 size, IoHandler& handler);

  const std::string& name() const { return name_; }
  Kind kind() const { return kind_; }
  u64 size() const { return size_; }
  u8* host() const { return host_; }                    // ram and rom; null for mmio
  const HostMemory* memory() const { return memory_; }  // ram and rom
  IoHandler* handler() const { return handler_; }       // mmio, and rom with writes; else null

 private:
  Region() = default;
  std::string name_;
  Kind kind_ = Kind::kRam;
  u64 size_ = 0;
  u8* host_ = nullptr;
  const HostMemory* memory_ = nullptr;
  IoHandler* handler_ = nullptr;
};

}  // namespace kite
