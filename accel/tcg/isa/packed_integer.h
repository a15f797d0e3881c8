// The meanings MMX and SSE2 share: packed integers of 64 or 128 bits.
#pragma once

#include "accel/tcg/isa/simd.h"

namespace kite::tcg {

template <class T>
inline constexpr auto multiply_even =
    [](Cpu&, auto& dst, const auto& src) { dst = vec::multiply_even<T>(dst, src); };
inline constexpr auto multiply_add_words = [](Cpu&, auto& dst, const auto& src) {
  dst = vec::multiply_add_words(dst, src);
};
inline constexpr auto multiply_add_bytes = [](Cpu&, auto& dst, const auto& src) {
  dst = vec::multiply_add_bytes(dst, src);
};
inline constexpr auto sum_of_differences = [](Cpu&, auto& dst, const auto& src) {
  dst = vec::sum_of_differences(dst, src);
};
template <class From, class To>
inline constexpr auto pack_lanes =
    [](Cpu&, auto& dst, const auto& src) { dst = vec::pack<From, To>(dst, src); };
// The MMX form reads 32 bits of memory (SDM 2B PUNPCKLBW).
template <class T>
inline constexpr auto interleave_low = [](Cpu&, auto& dst, const auto& src) {
  std::remove_reference_t<decltype(dst)> other;
  if constexpr (std::integral<std::remove_cvref_t<decltype(src)>>)
    other.template set_lane<u32>(0, src);
  else
    other = src;
  dst = vec::unpack_low<T>(dst, other);
};
template <class T>
inline constexpr auto interleave_high =
    [](Cpu&, auto& dst, const auto& src) { dst = vec::unpack_high<T>(dst, src); };
inline constexpr auto shuffle_lanes = [](Cpu&, auto& dst, const auto& src) {
  dst = vec::shuffle_bytes(dst, src);
};
template <class T, auto kOperation>
inline constexpr auto pairs =
    [](Cpu&, auto& dst, const auto& src) { dst = vec::horizontal<T>(dst, src, kOperation); };
inline constexpr auto align = [](Cpu&, auto& dst, const auto& src, u8 count) {
  dst = vec::align_right(dst, src, count);
};

// PINSRW, PEXTRW and kin: the immediate is cut to the number of lanes.
template <class T>
inline constexpr auto insert_lane = [](Cpu&, auto& dst, const auto& value, u8 index) {
  constexpr unsigned kLanes = std::remove_reference_t<decltype(dst)>::template kLanes<T>;
  dst.template set_lane<T>(index % kLanes, static_cast<T>(value));
};
template <class T>
inline constexpr auto extract_lane = [](Cpu&, auto& dst, const auto& src, u8 index) {
  constexpr unsigned kLanes = std::remove_reference_t<decltype(src)>::template kLanes<T>;
  dst = src.template lane<T>(index % kLanes);
};
template <class T>
inline constexpr auto signs = [](Cpu&, u32& dst, const auto& src) { dst = vec::sign_mask<T>(src); };

inline constexpr auto shift_bytes_left = [](Cpu&, Vec128& dst, u8 count) {
  dst = vec::shift_bytes_left(dst, count);
};
inline constexpr auto shift_bytes_right = [](Cpu&, Vec128& dst, u8 count) {
  dst = vec::shift_bytes_right(dst, count);
};
inline constexpr auto shuffle_dwords =
    shuffle<[](const Vec128& a, u8 c) { return vec::shuffle4<u32>(a, c); }>;
inline constexpr auto shuffle_low =
    shuffle<[](const Vec128& a, u8 c) { return vec::shuffle_low_words(a, c); }>;
inline constexpr auto shuffle_high =
    shuffle<[](const Vec128& a, u8 c) { return vec::shuffle_high_words(a, c); }>;

inline constexpr auto minimum_position = [](Cpu&, Vec128& dst, const Vec128& src) {
  dst = vec::minimum_position(src);
};
template <class T>
inline constexpr auto blend =
    [](Cpu&, auto& dst, const auto& src, u8 control) { dst = vec::blend<T>(dst, src, control); };
template <class T>
inline constexpr auto blend_by_sign = [](Cpu&, auto& dst, const auto& src, const auto& mask) {
  dst = vec::blend_by_sign<T>(dst, src, mask);
};

// PTEST: ZF says src & dst is zero, CF that src & ~dst is; VTESTPS and VTESTPD look at the sign
// bits of their lanes only.
template <class T, T kBits = static_cast<T>(~T{0})>
inline constexpr auto test_bits = [](Cpu& cpu, const auto& a, const auto& b) {
  const auto none = [](const auto& v) {
    for (const T lane : v.template lanes<T>())
      if (lane & kBits) return false;
    return true;
  };
  const bool zero = none(vec::map<T>(a, b, vec::bit_and));
  const bool carry = none(vec::map<T>(a, b, vec::bit_and_not));
  cpu.flags.set((zero ? kZf : 0) | (carry ? kCf : 0));
};

// MASKMOVQ, MASKMOVDQU: the bytes whose mask byte has its sign set, to DS:(R|E)DI.
inline constexpr auto masked_store = [](Cpu& cpu, const Insn& insn, const auto& src,
                                        const auto& mask) {
  const u8 segment = insn.segment == kFlatStack ? kFlat : insn.segment;
  const u64 offset = cpu.gpr[kRdi] & insn.address_mask();
  u64 linear;
  if (!cpu.linear_address_slow(segment, offset, src.kSize, Access::kWrite, linear))
    return Flow::kFault;
  if (vec::sign_mask<u8>(mask) == 0) return Flow::kNext;
  if (!cpu.probe_write(linear, src.kSize)) return Flow::kFault;
  for (unsigned i = 0; i < src.kSize; ++i)
    if (mask.bytes[i] & 0x80 && !cpu.store_at<u8>(linear + i, src.bytes[i])) return Flow::kFault;
  return Flow::kNext;
};

}  // namespace kite::tcg
