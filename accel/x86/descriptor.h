// Segment and gate descriptors: their bits, their types, and the way from memory to Segment
// (SDM 3A 3.4.5, 3.5, 6.11).
#pragma once

#include "accel/x86/state.h"
#include "base/bits.h"
#include "base/types.h"

namespace kite {

// Descriptor type bits of code and data segments (s = 1).
namespace segment_type {
inline constexpr u8 kAccessed = 1;
inline constexpr u8 kWritable = 2;    // data
inline constexpr u8 kExpandDown = 4;  // data
inline constexpr u8 kReadable = 2;    // code
inline constexpr u8 kConforming = 4;  // code
inline constexpr u8 kCode = 8;
}  // namespace segment_type

// Types of system descriptors (s = 0), SDM 3A table 3-2.
namespace system_type {
inline constexpr u8 kTss16 = 1;
inline constexpr u8 kLdt = 2;
inline constexpr u8 kTss16Busy = 3;
inline constexpr u8 kCallGate16 = 4;
inline constexpr u8 kTaskGate = 5;
inline constexpr u8 kInterruptGate16 = 6;
inline constexpr u8 kTrapGate16 = 7;
inline constexpr u8 kTss = 9;  // 32-bit, or 64-bit in long mode
inline constexpr u8 kTssBusy = 11;
inline constexpr u8 kCallGate = 12;
inline constexpr u8 kInterruptGate = 14;
inline constexpr u8 kTrapGate = 15;
inline constexpr u8 kBusy = 2;  // the bit that makes a TSS busy
}  // namespace system_type

// Bits of a descriptor's first eight bytes.
namespace descriptor {
inline constexpr u64 kAccessed = bit(40);
inline constexpr u64 kBusy = bit(41);
inline constexpr u64 kS = bit(44);
inline constexpr u64 kPresent = bit(47);
inline constexpr u64 kAvl = bit(52);
inline constexpr u64 kL = bit(53);
inline constexpr u64 kDb = bit(54);
inline constexpr u64 kG = bit(55);

constexpr u8 type(u64 low) {
  return static_cast<u8>(bits(low, 43, 40));
}
constexpr u8 dpl(u64 low) {
  return static_cast<u8>(bits(low, 46, 45));
}
constexpr u64 base(u64 low) {
  return bits(low, 39, 16) | bits(low, 63, 56) << 24;
}
// In bytes, granularity applied.
constexpr u32 limit(u64 low) {
  u32 raw = static_cast<u32>(bits(low, 15, 0) | bits(low, 51, 48) << 16);
  return low & kG ? raw << 12 | 0xfff : raw;
}
}  // namespace descriptor

namespace selector {
inline constexpr u16 kRpl = 3;
inline constexpr u16 kTi = 4;  // in the LDT
constexpr u16 index(u16 value) {
  return static_cast<u16>(value & ~7u);
}
}  // namespace selector

// `high` holds the second eight bytes of a system descriptor in long mode, else 0.
Segment unpack_descriptor(u16 selector, u64 low, u64 high = 0);
// What a null selector loads; SS keeps its privilege level.
Segment null_segment(u16 selector, u8 dpl);
// What a selector means in virtual-8086 mode (SDM 3B 20.2.1).
Segment virtual_8086_segment(u16 selector);
// The first eight bytes that describe `segment`; for tables that Kite itself writes.
u64 pack_descriptor(const Segment& segment);

// An interrupt, trap or call gate (SDM 3A figures 6-2, 6-8).
struct Gate {
  u16 selector = 0;
  u64 offset = 0;
  u8 type = 0;
  u8 dpl = 0;
  bool present = false;
  u8 ist = 0;         // 64-bit interrupt and trap gates
  u8 parameters = 0;  // call gates outside long mode
  bool operator==(const Gate&) const = default;
};
Gate unpack_gate(u64 low, u64 high = 0);
// Both halves; the second matters in long mode only.
std::array<u64, 2> pack_gate(const Gate& gate);

}  // namespace kite
