// ShadowMemory: what lies between C0000h and FFFFFh on a board with a firmware ROM: ROM, RAM, or
// one for reading and the other for writing, segment by segment.
#pragma once

#include <array>

#include "devices/pci/host_bridge_82441fx.h"
#include "memory/address_space.h"
#include "memory/host_memory.h"

namespace kite {

class ShadowMemory {
 public:
  using Segments = HostBridge82441fx::Segments;

  // `rom` may be empty (size 0): nothing answers where RAM is switched off. `ram` begins at address
  // 0. All outlive this.
  ShadowMemory(AddressSpace& memory, const HostMemory& ram, const HostMemory& rom);

  void map(AddressSpace::Edit& edit, const Segments& segments);
  // The same, in a transaction of its own.
  void remap(const Segments& segments);

 private:
  // Reads reach nobody; a write at offset o reaches `ram` + o + `shift` (modulo 2^64), or nobody.
  struct OpenBus : IoHandler {
    OpenBus(AddressSpace& memory, u8* ram, u64 shift) : memory(memory), ram(ram), shift(shift) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;
    AddressSpace& memory;
    u8* ram;
    u64 shift;
  };
  struct Look {
    std::shared_ptr<const Region> region;
    u64 offset = 0;  // in the region
  };
  Look look(Gpa address, HostBridge82441fx::Access access) const;

  AddressSpace& memory_;
  u64 rom_size_;
  OpenBus nothing_, write_only_, write_through_;
  std::shared_ptr<const Region> ram_, read_only_ram_, rom_, writable_rom_, nobody_, unread_ram_;
  std::array<WindowId, HostBridge82441fx::kSegments> windows_{};
};

}  // namespace kite
