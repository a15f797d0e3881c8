// What the meanings of MMX and SSE rows are made of: lane-wise operations and MXCSR's exceptions.
#pragma once

#include "accel/tcg/fpu/sse_float.h"
#include "accel/tcg/fpu/vector.h"
#include "accel/tcg/isa/row.h"
#include "accel/tcg/isa/vector_operands.h"

namespace kite::tcg {

inline constexpr const char* kNoFlags = "      ";

// --- integer lanes, for MMX and XMM registers alike ---------------------------------------------
template <class T, auto kOperation>
inline constexpr auto lanes =
    [](Cpu&, auto& dst, const auto& src) { dst = vec::map<T>(dst, src, kOperation); };
template <class T, auto kOperation>
inline constexpr auto lanes_of_one =
    [](Cpu&, auto& dst, const auto& src) { dst = vec::map<T>(src, kOperation); };
// dst = operation(dst, src) on whole registers.
template <auto kOperation>
inline constexpr auto whole = [](Cpu&, auto& dst, const auto& src) { dst = kOperation(dst, src); };
template <auto kOperation>
inline constexpr auto whole_with_control =
    [](Cpu&, auto& dst, const auto& src, u8 control) { dst = kOperation(dst, src, control); };
template <auto kOperation>
inline constexpr auto shuffle =
    [](Cpu&, auto& dst, const auto& src, u8 control) { dst = kOperation(src, control); };
inline constexpr auto copy = [](Cpu&, auto& dst, const auto& src) {
  using To = std::remove_cvref_t<decltype(dst)>;
  if constexpr (std::same_as<To, std::remove_cvref_t<decltype(src)>>) {
    dst = src;
  } else if constexpr (std::integral<std::remove_cvref_t<decltype(src)>>) {
    dst = To{};  // a register wider than the source: the rest becomes zero
    store<std::remove_cvref_t<decltype(src)>>(dst.bytes.data(), src);
  } else {
    dst = load<To>(src.bytes.data());
  }
};
inline constexpr auto no_operation = [](Cpu&, auto&...) {};

template <class T>
inline constexpr auto horizontal_add =
    [](const auto& a, const auto& b) { return vec::horizontal<T>(a, b, vec::add); };

// Shifts: the count is a register's low quadword or an immediate.
template <class T>
u64 shift_count(const T& count) {
  if constexpr (std::integral<T>)
    return static_cast<u8>(count);
  else
    return count.template lane<u64>(0);
}
template <class T>
inline constexpr auto shift_left =
    [](Cpu&, auto& dst, const auto& count) { dst = vec::shift_left<T>(dst, shift_count(count)); };
template <class T>
inline constexpr auto shift_right =
    [](Cpu&, auto& dst, const auto& count) { dst = vec::shift_right<T>(dst, shift_count(count)); };

// --- floating point ------------------------------------------------------------------------------
inline Flow raise_simd_exception(Cpu& cpu) {
  constexpr u64 kOsxmmexcpt = 1u << 10;
  return cpu.cr4 & kOsxmmexcpt ? cpu.raise(19) : cpu.undefined_opcode();
}

// Runs `compute(SimdFloat&)` and brings its flags into MXCSR; the destination is left alone by the
// operands' write-back when an exception is unmasked.
template <class Compute>
inline Flow simd_float(Cpu& cpu, Compute compute) {
  fpu::SimdFloat f(cpu.fpu.mxcsr);
  compute(f);
  cpu.fpu.mxcsr |= f.flags();
  return f.faults() ? raise_simd_exception(cpu) : Flow::kNext;
}

}  // namespace kite::tcg
