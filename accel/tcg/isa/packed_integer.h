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
