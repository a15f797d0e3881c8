#include "machine/boards/shadow_memory.h"

#include "base/bits.h"
#include "machine/boards/addresses.h"
#include "memory/dirty_log.h"
#include "memory/guest_access.h"

namespace kite {

namespace {

constexpr Gpa kEnd = 1 * MiB;
constexpr u64 kSize = kEnd - address::kShadow;
constexpr u64 kSmallSegment = 16 * KiB;
constexpr int kPriority = 2;  // above RAM and the ROM below 4 GiB

Gpa start_of(unsigned segment) {
  return address::kShadow + segment * kSmallSegment;
}

u64 size_of(unsigned segment) {
  return segment + 1 == HostBridge82441fx::kSegments ? 64 * KiB : kSmallSegment;
}

}  // namespace

u64 ShadowMemory::OpenBus::read(u64, unsigned size) {
  return mask_of_bytes(size);
}

void ShadowMemory::OpenBus::write(u64 offset, u64 value, unsigned size) {
  if (!ram) return;
  u8* const to = ram + (offset + shift);
  guest_write(to, &value, size);
  memory.dirty_log().mark(to, size);
}

// The ROM ends at 1 MiB, so an offset in it is an address less (1 MiB - its size); of a long ROM
// only the last 128 KiB are ever shown.
ShadowMemory::ShadowMemory(AddressSpace& memory, const HostMemory& ram, const HostMemory& rom)
    : memory_(memory),
      rom_size_(rom.size()),
      nothing_(memory, nullptr, 0),
      write_only_(memory, ram.data(), address::kShadow),
      write_through_(memory, ram.data(), kEnd - rom_size_),
      ram_(Region::ram("shadow-ram", ram)),
      read_only_ram_(Region::rom("shadow-ram", ram)),
      nobody_(Region::mmio("no-rom", kSize, nothing_)),
      unread_ram_(Region::mmio("shadow-ram-write-only", kSize, write_only_)) {
  if (rom_size_ == 0) return;
  rom_ = Region::rom("firmware", rom);
  writable_rom_ = Region::rom("firmware-over-ram", rom, &write_through_);
}

ShadowMemory::Look ShadowMemory::look(Gpa address, HostBridge82441fx::Access access) const {
  if (access == HostBridge82441fx::kRam) return {ram_, address};
  if (access == HostBridge82441fx::kReadRam) return {read_only_ram_, address};
  const bool writes = access == HostBridge82441fx::kWriteRam;
  const u64 from_end = kEnd - address;
  if (address >= address::kBios && from_end <= rom_size_)
    return {writes ? writable_rom_ : rom_, rom_size_ - from_end};
  return {writes ? unread_ram_ : nobody_, address - address::kShadow};
}

void ShadowMemory::map(AddressSpace::Edit& edit, const Segments& segments) {
  for (unsigned i = 0; i < segments.size(); ++i) {
    const Look look = this->look(start_of(i), segments[i]);
    edit.unmap(windows_[i]);
    windows_[i] = edit.map({.start = start_of(i),
                            .size = size_of(i),
                            .region = look.region,
                            .offset = look.offset,
                            .priority = kPriority});
  }
}

void ShadowMemory::remap(const Segments& segments) {
  AddressSpace::Edit edit(memory_);
  map(edit, segments);
}

}  // namespace kite
