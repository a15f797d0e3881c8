// The meanings that SSE's and AVX's floating-point rows share. The exceptions of all lanes are
// collected in one SimdFloat, so each is written for registers of every width.
#pragma once

#include "accel/tcg/isa/packed_integer.h"

namespace kite::tcg {

using fpu::SimdFloat;

// --- one lane ------------------------------------------------------------------------------------
// With a Host: SimdFloat has a quick way for all lanes at once.
inline constexpr struct {
  using Host = fpu::quick::Add;
  auto operator()(SimdFloat& f, auto a, auto b) const { return f.add(a, b); }
} add_;
inline constexpr struct {
  using Host = fpu::quick::Subtract;
  auto operator()(SimdFloat& f, auto a, auto b) const { return f.subtract(a, b); }
} sub_;
inline constexpr struct {
  using Host = fpu::quick::Multiply;
  auto operator()(SimdFloat& f, auto a, auto b) const { return f.multiply(a, b); }
} mul_;
inline constexpr struct {
  using Host = fpu::quick::Divide;
  auto operator()(SimdFloat& f, auto a, auto b) const { return f.divide(a, b); }
} div_;
inline constexpr auto min_ = [](SimdFloat& f, auto a, auto b) { return f.minimum(a, b); };
inline constexpr auto max_ = [](SimdFloat& f, auto a, auto b) { return f.maximum(a, b); };
inline constexpr auto sqrt_ = [](SimdFloat& f, auto, auto b) { return f.square_root(b); };
inline constexpr auto rcp_ = [](SimdFloat& f, u32, u32 b) { return f.approximate_reciprocal(b); };
inline constexpr auto rsqrt_ = [](SimdFloat& f, u32, u32 b) {
  return f.approximate_reciprocal_root(b);
};

inline constexpr auto single_to_double = [](SimdFloat& f, u32 a) { return f.to_double(a); };
inline constexpr auto double_to_single = [](SimdFloat& f, u64 a) { return f.to_single(a); };
template <class B>
inline constexpr auto dword_to_float =
    [](SimdFloat& f, u32 a) { return f.from_integer<B>(static_cast<i32>(a)); };
template <bool kTruncate>
inline constexpr auto float_to_dword =
    [](SimdFloat& f, auto a) { return static_cast<u32>(f.to_integer(a, 32, kTruncate)); };

// --- arithmetic ----------------------------------------------------------------------------------
// One scalar, dst = operation(f, dst, src); or every lane B of a register.
template <auto kOperation>
inline constexpr auto scalar = [](Cpu& cpu, auto& dst, const auto& src) {
  return simd_float(cpu, [&](SimdFloat& f) { dst = kOperation(f, dst, src); });
};
template <class B, auto kOperation>
inline constexpr auto packed = []<unsigned N>(Cpu& cpu, Vec<N>& dst, const Vec<N>& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    using Operation = std::remove_cvref_t<decltype(kOperation)>;
    if constexpr (requires { typename Operation::Host; })
      if (f.quick_lanes<B, typename Operation::Host>(dst, src)) return;
    dst = vec::map<B>(dst, src, [&](B a, B b) { return kOperation(f, a, b); });
  });
};

// ADDSUBPS: even lanes subtract, odd lanes add.
template <class B>
inline constexpr auto add_subtract = []<unsigned N>(Cpu& cpu, Vec<N>& dst, const Vec<N>& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = vec::generate<B, N>([&](unsigned i) {
      const B a = dst.template lane<B>(i), b = src.template lane<B>(i);
      return i % 2 ? f.add(a, b) : f.subtract(a, b);
    });
  });
};
// HADDPS and kin: neighbours of each 128 bits.
template <class B, auto kOperation>
inline constexpr auto horizontally = []<unsigned N>(Cpu& cpu, Vec<N>& dst, const Vec<N>& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    for (unsigned i = 0; i < N / 16; ++i)
      dst.set_lane128(i, vec::horizontal<B>(dst.lane128(i), src.lane128(i),
                                            [&](B a, B b) { return kOperation(f, a, b); }));
  });
};

// DPPS, DPPD in each 128 bits: products chosen by the immediate's high half, summed pairwise,
// stored by its low half. An unmasked exception of one step keeps the next from being computed.
template <class B>
inline constexpr auto dot_product = []<unsigned N>(Cpu& cpu, Vec<N>& dst, const Vec<N>& src,
                                                   u8 control) {
  return simd_float(cpu, [&](SimdFloat& f) {
    constexpr unsigned kLanes = 16 / sizeof(B);
    const auto add = [&](B a, B b) { return f.add(a, b); };
    Vec<N> sums = vec::generate<B, N>([&](unsigned i) {
      const bool chosen = control >> (4 + i % kLanes) & 1;
      return chosen ? f.multiply(dst.template lane<B>(i), src.template lane<B>(i)) : B{0};
    });
    for (unsigned left = kLanes; left > 1 && f.next_step(); left /= 2)
      for (unsigned i = 0; i < N / 16; ++i)
        sums.set_lane128(i, vec::horizontal<B>(sums.lane128(i), sums.lane128(i), add));
    dst = vec::generate<B, N>(
        [&](unsigned i) { return control >> i % kLanes & 1 ? sums.template lane<B>(i) : B{0}; });
  });
};

template <class B>
inline constexpr auto round_packed = [](Cpu& cpu, auto& dst, const auto& src, u8 control) {
  return simd_float(
      cpu, [&](SimdFloat& f) { dst = vec::map<B>(src, [&](B a) { return f.round(a, control); }); });
};
inline constexpr auto round_scalar = [](Cpu& cpu, auto& dst, auto src, u8 control) {
  return simd_float(cpu, [&](SimdFloat& f) { dst = f.round(src, control); });
};

// --- comparison: CMPPS has the first 8 predicates, VCMPPS all 32 ---------------------------------
template <class B, u8 kPredicates>
inline constexpr auto compare_packed = [](Cpu& cpu, auto& dst, const auto& src, u8 predicate) {
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = vec::map<B>(dst, src,
                      [&](B a, B b) { return f.compare(a, b, predicate & (kPredicates - 1)); });
  });
};
template <u8 kPredicates>
inline constexpr auto compare_scalar = [](Cpu& cpu, auto& dst, auto src, u8 predicate) {
  return simd_float(
      cpu, [&](SimdFloat& f) { dst = f.compare(dst, src, predicate & (kPredicates - 1)); });
};

// COMISS, UCOMISS: ZF, PF, CF tell the order, OF, SF, AF become 0 (SDM 2A COMISS).
template <bool kSignaling>
inline constexpr auto compare_to_flags = [](Cpu& cpu, auto a, auto b) {
  return simd_float(cpu, [&](SimdFloat& f) {
    constexpr u64 kCodes[] = {0x01, 0x40, 0x00, 0x45};  // less, equal, greater, unordered
    const u64 code = kCodes[static_cast<unsigned>(f.order(a, b, kSignaling))];
    if (!f.faults()) cpu.flags.set(code);
  });
};

// --- conversion ----------------------------------------------------------------------------------
// An operand as a vector; 64 bits of an XMM register or of memory are an integer.
template <unsigned N>
inline const Vec<N>& as_vector(const Vec<N>& value) {
  return value;
}
inline Vec64 as_vector(u64 value) {
  return Vec64::of<u64>({value});
}

// Lane by lane to another format, as many as fit both; the rest of a longer destination becomes 0.
template <class From, class To, class Convert>
void convert_lanes(auto& dst, const auto& src, Convert convert) {
  const auto& from = as_vector(src);
  std::remove_cvref_t<decltype(as_vector(dst))> to;
  constexpr unsigned kLanes = std::min(sizeof(from) / sizeof(From), sizeof(to) / sizeof(To));
  for (unsigned i = 0; i < kLanes; ++i)
    to.template set_lane<To>(i, convert(from.template lane<From>(i)));
  if constexpr (std::integral<std::remove_reference_t<decltype(dst)>>)
    dst = to.template lane<u64>(0);
  else
    dst = to;
}
template <class From, class To, auto kOperation>
inline constexpr auto converted = [](Cpu& cpu, auto& dst, const auto& src) {
  return simd_float(cpu, [&](SimdFloat& f) {
    convert_lanes<From, To>(dst, src, [&](From a) { return kOperation(f, a); });
  });
};
template <auto kOperation>
inline constexpr auto converted_scalar = [](Cpu& cpu, auto& dst, const auto& src) {
  return simd_float(cpu, [&](SimdFloat& f) { dst = kOperation(f, src); });
};

// CVTSI2SS and kin: sign-extended from the operand's own width.
template <class B>
inline constexpr auto from_integer = [](Cpu& cpu, B& dst, auto src) {
  using Signed = std::make_signed_t<std::remove_reference_t<decltype(src)>>;
  return simd_float(cpu, [&](SimdFloat& f) { dst = f.from_integer<B>(static_cast<Signed>(src)); });
};
template <bool kTruncate>
inline constexpr auto to_integer = [](Cpu& cpu, auto& dst, auto src) {
  using To = std::remove_reference_t<decltype(dst)>;
  return simd_float(cpu, [&](SimdFloat& f) {
    dst = static_cast<To>(f.to_integer(src, 8 * sizeof(To), kTruncate));
  });
};

}  // namespace kite::tcg
