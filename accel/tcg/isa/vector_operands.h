// The kinds of XMM and MMX operands: V, W, U, M of the SSE and P, Q, N of the MMX instructions.
//
// A kind is named by its letter and the bytes the meaning sees: dq 16, q 8, d 4, w 2. A partial write
// leaves the rest of the register as it was; an instruction that clears it writes Vdq. The kinds of
// VEX-coded instructions, as long as VEX.L says, stand in vex_operands.h.
#pragma once

#include "accel/tcg/fpu/vector.h"
#include "accel/tcg/isa/operands.h"

namespace kite::tcg {

inline u8* xmm_bytes(Cpu& cpu, u8 offset) {
  return cpu.fpu.zmm[offset / 8].data();
}

// Memory is reached as bytes: a vector type would promise the host an alignment it has not.
template <class T>
using Bytes = std::array<u8, sizeof(T)>;

template <class T>
bool load_bytes(Cpu& cpu, const Insn& insn, T& value, bool aligned) {
  u64 linear;
  if (!cpu.linear_address(insn, sizeof(T), Access::kRead, linear)) return false;
  if (aligned && linear % sizeof(T)) return cpu.general_protection(), false;
  Bytes<T> bytes;
  if (!cpu.load_at<Bytes<T>>(linear, bytes, Cpu::is_stack(insn.segment))) return false;
  value = std::bit_cast<T>(bytes);
  return true;
}

template <class T>
bool store_bytes(Cpu& cpu, const Insn& insn, const T& value, bool aligned) {
  u64 linear;
  if (!cpu.linear_address(insn, sizeof(T), Access::kWrite, linear)) return false;
  if (aligned && linear % sizeof(T)) return cpu.general_protection(), false;
  return cpu.store_at<Bytes<T>>(linear, std::bit_cast<Bytes<T>>(value),
                                Cpu::is_stack(insn.segment));
}

template <class T, Place P>
struct VectorFacts {
  static constexpr Place place = P;
  static constexpr u8 bytes = sizeof(T);
  static constexpr bool sized = false;
  static constexpr bool vector = true;
  template <unsigned W>
  using Value = T;
};

// Writes a vector register. A VEX-coded instruction clears what lies above (SDM 1 14.1.3).
template <unsigned W, class T>
[[gnu::always_inline]] inline void write_vector(Cpu& cpu, u8 offset, const T& value) {
  u8* bytes = xmm_bytes(cpu, offset);
  store<T>(bytes, value);
  if constexpr (is_vex(W) && sizeof(T) < 32) std::fill(bytes + sizeof(T), bytes + 32, u8{0});
}

// W, U and M: the XMM register or memory that ModRM.rm names. Sixteen bytes must be aligned (SDM 1
// 10.4.1.1) but for the instructions whose row says Wu or Mu, and those that are VEX-coded.
template <class T, Place P, bool kAligned = sizeof(T) == 16>
struct XmmRm : VectorFacts<T, P> {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, T& value, Spot&) {
    if constexpr (U == Use::kWrite) return true;
    if (insn.is_memory) return load_bytes(cpu, insn, value, kAligned && !is_vex(W));
    value = load<T>(xmm_bytes(cpu, insn.rm));
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, const T& value, const Spot&) {
    if (insn.is_memory) return store_bytes(cpu, insn, value, kAligned && !is_vex(W));
    write_vector<W>(cpu, insn.rm, value);
    return true;
  }
};

// V: the XMM register that ModRM.reg names.
template <class T>
struct XmmReg : VectorFacts<T, Place::kModReg> {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, T& value, Spot&) {
    if constexpr (U != Use::kWrite) value = load<T>(xmm_bytes(cpu, insn.reg));
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, const T& value, const Spot&) {
    write_vector<W>(cpu, insn.reg, value);
    return true;
  }
};

// XMM0, the silent mask of BLENDVPS and kin.
struct Xmm0Kind : VectorFacts<Vec128, Place::kFixed> {
  static constexpr const char* name = "XMM0";
  static constexpr u8 fixed_register = 0;
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn&, Vec128& value, Spot&) {
    static_assert(U == Use::kRead);
    value = load<Vec128>(xmm_bytes(cpu, 0));
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, const Vec128&, const Spot&) {
    return true;
  }
};
inline constexpr Xmm0Kind XMM0{};

// Every MMX instruction waits for a pending x87 exception, then sets TOP to 0 and all tags to valid
// (SDM 3A 12.2).
inline bool enter_mmx(Cpu& cpu) {
  if (cpu.fpu.fsw & 0x80) [[unlikely]]
    return cpu.raise(16), false;
  cpu.fpu.fsw &= static_cast<u16>(~0x3800);
  cpu.fpu.ftw = 0xff;
  return true;
}

inline void write_mm(Cpu& cpu, u8 offset, const Vec64& value) {
  u8* reg = cpu.fpu.st[offset / 8 & 7].data();
  store<Vec64>(reg, value);
  store<u16>(reg + 8, 0xffff);  // sign and exponent (SDM 3A 12.2)
}

template <class T>
T read_mm(Cpu& cpu, u8 offset) {
  return load<T>(cpu.fpu.st[offset / 8 & 7].data());
}

// Q and N: the MMX register or memory that ModRM.rm names. Only 64 bits are ever written.
template <class T, Place P>
struct MmRm : VectorFacts<T, P> {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, T& value, Spot&) {
    if constexpr (U != Use::kWrite)
      if (insn.is_memory && !load_bytes(cpu, insn, value, false)) return false;
    if (!enter_mmx(cpu)) return false;
    if constexpr (U != Use::kWrite)
      if (!insn.is_memory) value = read_mm<T>(cpu, insn.rm);
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, const T& value, const Spot&) {
    if (insn.is_memory) return store_bytes(cpu, insn, value, false);
    if constexpr (sizeof(T) == 8) write_mm(cpu, insn.rm, value);
    return true;
  }
};

// P: the MMX register that ModRM.reg names.
struct PqKind : VectorFacts<Vec64, Place::kModReg> {
  static constexpr const char* name = "Pq";
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, Vec64& value, Spot&) {
    if (!enter_mmx(cpu)) return false;
    if constexpr (U != Use::kWrite) value = read_mm<Vec64>(cpu, insn.reg);
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, const Vec64& value, const Spot&) {
    write_mm(cpu, insn.reg, value);
    return true;
  }
};
inline constexpr PqKind Pq{};

KITE_OPERAND(Vdq, XmmReg<Vec128>);
KITE_OPERAND(Vq, XmmReg<u64>);
KITE_OPERAND(Vd, XmmReg<u32>);
KITE_OPERAND(Wdq, XmmRm<Vec128, Place::kModRm>);
KITE_OPERAND(Wu, XmmRm<Vec128, Place::kModRm, false>);
KITE_OPERAND(Wq, XmmRm<u64, Place::kModRm>);
KITE_OPERAND(Wd, XmmRm<u32, Place::kModRm>);
KITE_OPERAND(Ww, XmmRm<u16, Place::kModRm>);
KITE_OPERAND(Udq, XmmRm<Vec128, Place::kModRmRegister>);
KITE_OPERAND(Uq, XmmRm<u64, Place::kModRmRegister>);
KITE_OPERAND(Ud, XmmRm<u32, Place::kModRmRegister>);
KITE_OPERAND(Mdq, XmmRm<Vec128, Place::kModRmMemory>);
KITE_OPERAND(Mu, XmmRm<Vec128, Place::kModRmMemory, false>);
KITE_OPERAND(Qq, MmRm<Vec64, Place::kModRm>);
KITE_OPERAND(Qd, MmRm<u32, Place::kModRm>);
KITE_OPERAND(Nq, MmRm<Vec64, Place::kModRmRegister>);

// A register or memory the instruction names but never touches: hints.
struct HintKind : ReadOnly<SizeLetter::kB, Place::kModRm> {
  static constexpr const char* name = "Ev";
  static constexpr bool vector = true;  // no byte-register rules
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn&, u8&, Spot&) {
    return true;
  }
};
inline constexpr HintKind Hint{};

}  // namespace kite::tcg
