// The meanings SSE and AVX share: moves and shuffles that compute nothing.
#pragma once

#include "accel/tcg/isa/packed_integer.h"

namespace kite::tcg {

inline constexpr auto from_general = [](Cpu&, Vec128& dst, auto src) {
  dst = Vec128::of<u64>({src, 0});
};
inline constexpr auto to_general = [](Cpu&, auto& dst, const Vec128& src) {
  dst = src.lane<std::remove_reference_t<decltype(dst)>>(0);
};
inline constexpr auto set_low = [](Cpu&, Vec128& dst, u64 src) { dst.set_lane<u64>(0, src); };
inline constexpr auto set_high = [](Cpu&, Vec128& dst, u64 src) { dst.set_lane<u64>(1, src); };
inline constexpr auto get_high = [](Cpu&, u64& dst, const Vec128& src) { dst = src.lane<u64>(1); };
inline constexpr auto high_to_low = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst.set_lane<u64>(0, src.lane<u64>(1));
};
inline constexpr auto low_to_high = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst.set_lane<u64>(1, src.lane<u64>(0));
};
inline constexpr auto duplicate_low = [](Cpu&, Vec128& dst, u64 src) {
  dst = Vec128::of<u64>({src, src});
};
inline constexpr auto movsldup = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst = vec::shuffle4<u32>(src, 0b10100000);
};
inline constexpr auto movshdup = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst = vec::shuffle4<u32>(src, 0b11110101);
};
inline constexpr auto shuffle_singles =
    whole_with_control<[](const Vec128& a, const Vec128& b, u8 c) {
      return vec::shuffle_singles(a, b, c);
    }>;
inline constexpr auto shuffle_doubles =
    whole_with_control<[](const Vec128& a, const Vec128& b, u8 c) {
      return vec::shuffle_doubles(a, b, c);
    }>;

// INSERTPS: a lane of the source (or memory) into a lane, then zeros by mask (SDM 2A INSERTPS).
inline void insert_and_clear(Vec128& dst, u32 value, u8 control) {
  dst.set_lane<u32>(control >> 4 & 3, value);
  for (unsigned i = 0; i < 4; ++i)
    if (control >> i & 1) dst.set_lane<u32>(i, 0);
}
inline constexpr auto insert_single = [](Cpu&, Vec128& dst, const Vec128& src, u8 control) {
  insert_and_clear(dst, src.lane<u32>(control >> 6), control);
};
inline constexpr auto insert_single_memory = [](Cpu&, Vec128& dst, u32 src, u8 control) {
  insert_and_clear(dst, src, control);
};

}  // namespace kite::tcg
