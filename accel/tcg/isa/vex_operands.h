// The kinds of VEX-coded vector instructions: as long as VEX.L says, or in VEX.vvvv, or in /is4.
//
// x is 16 bytes with VEX.128 and 32 with VEX.256; h, f and e are half, a quarter and an eighth of
// that. The kinds of vector_operands.h serve these rows too: there a write clears the rest of the
// register, and memory need not be aligned (SDM 1 14.9).
#pragma once

#include "accel/tcg/isa/vector_operands.h"

namespace kite::tcg {

template <unsigned W, unsigned kDivisor = 1>
using VexValue = Vec<(W == kVex256 ? 32 : 16) / kDivisor>;

// A kind for each length, of one that is made for a type.
template <template <class> class Base, unsigned kDivisor = 1>
struct ByLength {
  using Facts = Base<Vec<16 / kDivisor>>;
  static constexpr Place place = Facts::place;
  static constexpr u8 bytes = 0;
  static constexpr bool sized = false;
  static constexpr bool by_length = true;
  static constexpr bool vector = true;
  template <unsigned W>
  using Value = VexValue<W, kDivisor>;
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, Value<W>& value, Spot& spot) {
    return Base<Value<W>>::template fetch<W, U>(cpu, insn, value, spot);
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, const Value<W>& value, const Spot& spot) {
    return Base<Value<W>>::template commit<W, U>(cpu, insn, value, spot);
  }
};

// H: the register that VEX.vvvv names.
template <class T>
struct VexReg : VectorFacts<T, Place::kVvvv> {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, T& value, Spot&) {
    if constexpr (U != Use::kWrite) value = load<T>(xmm_bytes(cpu, insn.vreg));
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, const T& value, const Spot&) {
    write_vector<W>(cpu, insn.vreg, value);
    return true;
  }
};

// L: the register in the high half of the immediate.
template <class T>
struct Is4Reg : VectorFacts<T, Place::kIs4> {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, T& value, Spot&) {
    static_assert(U == Use::kRead);
    value = load<T>(xmm_bytes(cpu, static_cast<u8>((insn.imm >> 4 & 15) * 8)));
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, const T&, const Spot&) {
    return true;
  }
};

// The vector of a gather's addresses: the register that SIB.index names.
template <class T>
struct IndexReg : VectorFacts<T, Place::kModRmMemory> {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, T& value, Spot&) {
    static_assert(U == Use::kRead);
    value = load<T>(xmm_bytes(cpu, static_cast<u8>(insn.imm)));
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, const T&, const Spot&) {
    return true;
  }
};

template <class T>
using VexRm = XmmRm<T, Place::kModRm, false>;
template <class T>
using VexRmAligned = XmmRm<T, Place::kModRm, true>;
template <class T>
using VexRmRegister = XmmRm<T, Place::kModRmRegister, false>;
template <class T>
using VexRmMemory = XmmRm<T, Place::kModRmMemory, false>;

// Memory that must be aligned even here: VMOVAPS, VMOVDQA, VMOVNT* (SDM 1 table 14-22).
template <class T, Place P>
struct AlignedRm : VectorFacts<T, P> {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, T& value, Spot&) {
    if constexpr (U == Use::kWrite) return true;
    if (insn.is_memory) return load_bytes(cpu, insn, value, true);
    value = load<T>(xmm_bytes(cpu, insn.rm));
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, const T& value, const Spot&) {
    if (insn.is_memory) return store_bytes(cpu, insn, value, true);
    write_vector<W>(cpu, insn.rm, value);
    return true;
  }
};
template <class T>
using VexAligned = AlignedRm<T, Place::kModRm>;
template <class T>
using VexAlignedMemory = AlignedRm<T, Place::kModRmMemory>;

KITE_OPERAND(Vx, ByLength<XmmReg>);
KITE_OPERAND(Hx, ByLength<VexReg>);
KITE_OPERAND(Lx, ByLength<Is4Reg>);
KITE_OPERAND(Wx, ByLength<VexRm>);
KITE_OPERAND(Ux, ByLength<VexRmRegister>);
KITE_OPERAND(Mx, ByLength<VexRmMemory>);
KITE_OPERAND(Wax, ByLength<VexAligned>);        // aligned
KITE_OPERAND(Max, ByLength<VexAlignedMemory>);  // aligned
KITE_OPERAND(Wh, ByLength<VexRm, 2>);
KITE_OPERAND(Wf, ByLength<VexRm, 4>);
KITE_OPERAND(We, ByLength<VexRm, 8>);
KITE_OPERAND(Ix, ByLength<IndexReg>);
KITE_OPERAND(Idq, IndexReg<Vec128>);
KITE_OPERAND(Wb, XmmRm<u8, Place::kModRm>);
KITE_OPERAND(Vqq, XmmReg<Vec256>);
KITE_OPERAND(Hqq, VexReg<Vec256>);
KITE_OPERAND(Wqq, VexRm<Vec256>);
KITE_OPERAND(Uqq, VexRmRegister<Vec256>);
KITE_OPERAND(Hdq, VexReg<Vec128>);
KITE_OPERAND(Ldq, Is4Reg<Vec128>);
KITE_OPERAND(Hq, VexReg<u64>);
KITE_OPERAND(Hd, VexReg<u32>);

// --- meanings
// ------------------------------------------------------------------------------------- A meaning
// of SSE, (dst, src, rest…) with dst read and written, as (dst, first, src, rest…).
template <auto kMeaning>
inline constexpr auto three =
    []<unsigned N>(Cpu& cpu, Vec<N>& dst, const auto& first, const auto& src, const auto&... rest) {
      dst = first;
      return kMeaning(cpu, dst, src, rest...);
    };

// The same for a scalar: the rest of the 128 bits comes from the first source.
template <class B, auto kMeaning>
inline constexpr auto three_scalar =
    [](Cpu& cpu, Vec128& dst, const Vec128& first, const auto& src, const auto&... rest) {
      B low = first.lane<B>(0);
      if constexpr (std::is_void_v<decltype(kMeaning(cpu, low, src, rest...))>) {
        kMeaning(cpu, low, src, rest...);
        dst = first;
        dst.set_lane<B>(0, low);
      } else {
        const Flow flow = kMeaning(cpu, low, src, rest...);
        dst = first;
        dst.set_lane<B>(0, low);
        return flow;
      }
    };

// A meaning of 128 bits that raises nothing, on each 128-bit lane: packing, unpacking, shuffles
// (SDM 1 14.4.2). What is no vector (an immediate) goes to every lane.
template <class T>
inline decltype(auto) lane128(const T& value, unsigned index) {
  if constexpr (std::is_class_v<T>)
    return value.lane128(index);
  else
    return (value);
}
template <auto kMeaning>
inline constexpr auto in_lanes = []<unsigned N>(Cpu& cpu, Vec<N>& dst, const auto&... rest) {
  for (unsigned i = 0; i < dst.kSize / 16; ++i) {
    Vec128 part = dst.lane128(i);
    kMeaning(cpu, part, lane128(rest, i)...);
    dst.set_lane128(i, part);
  }
};

}  // namespace kite::tcg
