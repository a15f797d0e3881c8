#include "accel/x86/descriptor.h"

namespace kite {

Segment unpack_descriptor(u16 selector, u64 low, u64 high) {
  return {
      .selector = selector,
      .base = descriptor::base(low) | (high & 0xffffffff) << 32,
      .limit = descriptor::limit(low),
      .type = descriptor::type(low),
      .s = (low & descriptor::kS) != 0,
      .dpl = descriptor::dpl(low),
      .present = (low & descriptor::kPresent) != 0,
      .avl = (low & descriptor::kAvl) != 0,
      .l = (low & descriptor::kL) != 0,
      .db = (low & descriptor::kDb) != 0,
      .g = (low & descriptor::kG) != 0,
      .unusable = false,
  };
}

Segment null_segment(u16 selector, u8 dpl) {
  return {.selector = selector,
          .limit = 0,
          .type = 0,
          .s = false,
          .dpl = dpl,
          .present = false,
          .unusable = true};
}

Segment virtual_8086_segment(u16 selector) {
  return {.selector = selector, .base = u64{selector} << 4, .limit = 0xffff, .type = 3, .dpl = 3};
}

u64 pack_descriptor(const Segment& segment) {
  u64 limit = segment.g ? segment.limit >> 12 : segment.limit;
  u64 value = bits(limit, 15, 0) | bits(limit, 19, 16) << 48;
  value |= bits(segment.base, 23, 0) << 16 | bits(segment.base, 31, 24) << 56;
  value |= u64{segment.type & 15u} << 40 | u64{segment.dpl & 3u} << 45;
  if (segment.s) value |= descriptor::kS;
  if (segment.present) value |= descriptor::kPresent;
  if (segment.avl) value |= descriptor::kAvl;
  if (segment.l) value |= descriptor::kL;
  if (segment.db) value |= descriptor::kDb;
  if (segment.g) value |= descriptor::kG;
  return value;
}

Gate unpack_gate(u64 low, u64 high) {
  bool call = (descriptor::type(low) & 7) == system_type::kCallGate16;
  return {
      .selector = static_cast<u16>(bits(low, 31, 16)),
      .offset = bits(low, 15, 0) | bits(low, 63, 48) << 16 | (high & 0xffffffff) << 32,
      .type = descriptor::type(low),
      .dpl = descriptor::dpl(low),
      .present = (low & descriptor::kPresent) != 0,
      .ist = static_cast<u8>(call ? 0 : bits(low, 34, 32)),
      .parameters = static_cast<u8>(call ? bits(low, 36, 32) : 0),
  };
}

std::array<u64, 2> pack_gate(const Gate& gate) {
  u64 low = bits(gate.offset, 15, 0) | u64{gate.selector} << 16 | bits(gate.offset, 31, 16) << 48;
  low |= u64{(gate.ist | gate.parameters) & 31u} << 32;
  low |= u64{gate.type & 15u} << 40 | u64{gate.dpl & 3u} << 45;
  if (gate.present) low |= descriptor::kPresent;
  return {low, gate.offset >> 32};
}

}  // namespace kite
