// What all kinds of operands are made of: sizes, places, and how memory is fetched and written
// back.
#pragma once

#include "accel/tcg/cpu.h"

namespace kite::tcg {

// The operand size of a sized row: 1 = 16, 2 = 32, 3 = 64 bits (Insn::width); 0 where the row has
// no sized operand.
template <unsigned W>
struct Sized;
template <>
struct Sized<0> {
  using V = u8;  // never used
  using Z = u8;
  using Y = u8;
};
template <>
struct Sized<1> {
  using V = u16;
  using Z = u16;
  using Y = u32;
};
template <>
struct Sized<2> {
  using V = u32;
  using Z = u32;
  using Y = u32;
};
template <>
struct Sized<3> {
  using V = u64;
  using Z = u32;
  using Y = u64;
};

// What a VEX-coded vector instruction (attribute `avx`) is stamped for instead: VEX.L.
inline constexpr unsigned kVex128 = 4, kVex256 = 5;
constexpr bool is_vex(unsigned width) {
  return width >= kVex128;
}

enum class Use : u8 { kRead = 1, kWrite = 2, kReadWrite = 3 };

// Where an operand class lives, for decoder and tests.
enum class Place : u8 {
  kModRm,          // ModRM.rm: register or memory
  kModRmMemory,    // memory only: another encoding with mod 11b
  kModRmRegister,  // register only
  kModReg,         // ModRM.reg
  kOpcode,         // low bits of the opcode
  kImmediate,
  kRelative,
  kFar,
  kOffset,  // moffs
  kFixed,   // always the same register, or the constant 1
  kVvvv,    // VEX.vvvv
  kIs4,     // the high half of an immediate byte
};

// What a row says about one operand. `bytes` is the size of the value (0: sized by the
// instruction).
struct OperandSpec {
  const char* name;
  Place place;
  Use use;
  u8 bytes;
  bool vector;  // an XMM, MMX or x87 register rather than a general one
  u8 fixed_register;
};

// A kind of operand is a struct with
//   name, place, bytes, sized, vector     facts for decoder and tests
//   by_length                             if it is as long as VEX.L says; else absent
//   Value<W>                              the type the meaning sees
//   fetch<W, U>(cpu, insn, value, spot)   before the meaning; false: cpu.fault is set
//   commit<W, U>(cpu, insn, value, spot)  after it, if written
//   locate<W, U>(cpu, insn, linear)       where LOCK is legal: the address of the memory operand
// Spot carries what fetch learnt to commit.
struct Spot {
  u64 linear = 0;
  void* host = nullptr;
};

// Loads from `spot.linear` what will be stored there again.
template <class T>
[[gnu::always_inline]] inline bool fetch_to_modify(Cpu& cpu, const Insn& insn, T& value,
                                                   Spot& spot) {
  if (T* host = cpu.writable<T>(spot.linear)) {
    spot.host = host;
    value = guest_load<T>(host);
    return true;
  }
  const bool stack = Cpu::is_stack(insn.segment);
  return cpu.probe_write(spot.linear, sizeof(T), stack) &&
         cpu.load_at<T>(spot.linear, value, stack);
}

template <class T>
[[gnu::always_inline]] inline bool fetch_rm(Cpu& cpu, const Insn& insn, T& value, Spot& spot,
                                            Use use) {
  if (!insn.is_memory) {
    value = cpu.get<T>(insn.rm);
    return true;
  }
  if (use == Use::kRead) return cpu.load_operand<T>(insn, value);
  if (!cpu.linear_address(insn, sizeof(T), Access::kWrite, spot.linear)) return false;
  return fetch_to_modify<T>(cpu, insn, value, spot);
}

template <class T>
[[gnu::always_inline]] inline bool commit_rm(Cpu& cpu, const Insn& insn, T value, const Spot& spot,
                                             Use use) {
  if (!insn.is_memory) {
    cpu.put<T>(insn.rm, value);
    return true;
  }
  if (use == Use::kWrite) return cpu.store_operand<T>(insn, value);
  if (spot.host) {
    guest_store<T>(spot.host, value);
    return true;
  }
  return cpu.store_at<T>(spot.linear, value, Cpu::is_stack(insn.segment));
}

enum class SizeLetter : u8 { kB, kW, kD, kQ, kV, kZ, kY };

template <SizeLetter L, unsigned W>
struct TypeOf {
  using T = u8;
};
template <unsigned W>
struct TypeOf<SizeLetter::kW, W> {
  using T = u16;
};
template <unsigned W>
struct TypeOf<SizeLetter::kD, W> {
  using T = u32;
};
template <unsigned W>
struct TypeOf<SizeLetter::kQ, W> {
  using T = u64;
};
template <unsigned W>
struct TypeOf<SizeLetter::kV, W> {
  using T = typename Sized<W>::V;
};
template <unsigned W>
struct TypeOf<SizeLetter::kZ, W> {
  using T = typename Sized<W>::Z;
};
template <unsigned W>
struct TypeOf<SizeLetter::kY, W> {
  using T = typename Sized<W>::Y;
};

constexpr u8 letter_bytes(SizeLetter letter) {
  switch (letter) {
    case SizeLetter::kB:
      return 1;
    case SizeLetter::kW:
      return 2;
    case SizeLetter::kD:
      return 4;
    case SizeLetter::kQ:
      return 8;
    default:
      return 0;
  }
}

}  // namespace kite::tcg
