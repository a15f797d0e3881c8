#include "accel/tcg/fpu/string_compare.h"

namespace kite {
namespace {

// The immediate's fields (SDM 2B 4.1.2 – 4.1.6).
bool words(u8 control) {
  return control & 1;
}
unsigned element_count(u8 control) {
  return words(control) ? 8 : 16;
}
enum Aggregation { kEqualAny, kRanges, kEqualEach, kEqualOrdered };

i32 element(const Vec128& a, unsigned index, u8 control) {
  switch (control & 3) {
    case 0:
      return a.lane<u8>(index);
    case 1:
      return a.lane<u16>(index);
    case 2:
      return a.lane<i8>(index);
    default:
      return a.lane<i16>(index);
  }
}

struct Operands {
  const Vec128& a;
  unsigned a_length;
  const Vec128& b;
  unsigned b_length;
  u8 control;
  unsigned count;

  i32 at_a(unsigned i) const { return element(a, i, control); }
  i32 at_b(unsigned i) const { return element(b, i, control); }
};

bool equals_any(const Operands& o, unsigned j) {
  if (j >= o.b_length) return false;
  for (unsigned i = 0; i < o.a_length; ++i)
    if (o.at_a(i) == o.at_b(j)) return true;
  return false;
}

bool in_ranges(const Operands& o, unsigned j) {
  if (j >= o.b_length) return false;
  for (unsigned i = 0; i + 1 < o.a_length; i += 2)
    if (o.at_a(i) <= o.at_b(j) && o.at_b(j) <= o.at_a(i + 1)) return true;
  return false;
}

bool equals_each(const Operands& o, unsigned j) {
  const bool a_valid = j < o.a_length, b_valid = j < o.b_length;
  if (a_valid && b_valid) return o.at_a(j) == o.at_b(j);
  return a_valid == b_valid;  // past both ends: equal
}

// Does all of `a` stand in `b` from j on, as far as the register shows?
bool starts_at(const Operands& o, unsigned j) {
  for (unsigned i = 0; i < o.a_length && j + i < o.count; ++i)
    if (j + i >= o.b_length || o.at_a(i) != o.at_b(j + i)) return false;
  return true;
}

u32 aggregate(const Operands& o) {
  u32 result = 0;
  for (unsigned j = 0; j < o.count; ++j) {
    bool match = false;
    switch ((o.control >> 2) & 3) {
      case kEqualAny:
        match = equals_any(o, j);
        break;
      case kRanges:
        match = in_ranges(o, j);
        break;
      case kEqualEach:
        match = equals_each(o, j);
        break;
      case kEqualOrdered:
        match = starts_at(o, j);
        break;
    }
    result |= u32{match} << j;
  }
  return result;
}

}  // namespace

StringCompare compare_strings(const Vec128& a, unsigned a_length, const Vec128& b,
                              unsigned b_length, u8 control) {
  const unsigned count = element_count(control);
  const u32 all = (1u << count) - 1;
  u32 result = aggregate({a, a_length, b, b_length, control, count});
  const u32 within_b = (1u << b_length) - 1;
  if (control & 0x10) result ^= control & 0x20 ? within_b : all;
  return {result, count, result != 0, b_length < count, a_length < count, (result & 1) != 0};
}

unsigned StringCompare::index(u8 control) const {
  if (result == 0) return elements;
  return control & 0x40 ? 31 - std::countl_zero(result) : std::countr_zero(result);
}

Vec128 StringCompare::mask(u8 control) const {
  if (!(control & 0x40)) return Vec128::of<u64>({result, 0});
  if (words(control))
    return vec::generate<u16, 16>([&](unsigned i) { return result >> i & 1 ? 0xffff : 0; });
  return vec::generate<u8, 16>([&](unsigned i) { return result >> i & 1 ? 0xff : 0; });
}

unsigned implicit_length(const Vec128& a, u8 control) {
  const unsigned count = element_count(control);
  unsigned length = 0;
  while (length < count && element(a, length, control) != 0) ++length;
  return length;
}

unsigned explicit_length(i64 value, u8 control) {
  const u64 magnitude = value < 0 ? u64{0} - static_cast<u64>(value) : static_cast<u64>(value);
  return static_cast<unsigned>(std::min<u64>(magnitude, element_count(control)));
}

}  // namespace kite
