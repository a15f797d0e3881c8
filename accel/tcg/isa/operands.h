// The kinds of operands, by the letters of SDM 2D appendix A, and how each is fetched and written
// back.
#pragma once

#include "accel/tcg/isa/operand.h"

namespace kite::tcg {

// E, M and R: the general register or memory that ModRM.rm names.
template <SizeLetter L, Place P>
struct GeneralRm {
  static constexpr Place place = P;
  static constexpr u8 bytes = letter_bytes(L);
  static constexpr bool sized = bytes == 0;
  static constexpr bool vector = false;
  template <unsigned W>
  using Value = typename TypeOf<L, W>::T;
  template <unsigned W, Use U>
  static bool locate(Cpu& cpu, const Insn& insn, u64& linear) {
    return cpu.linear_address(insn, sizeof(Value<W>), Access::kWrite, linear);
  }
  template <unsigned W, Use U>
  [[gnu::always_inline]] static bool fetch(Cpu& cpu, const Insn& insn, Value<W>& value,
                                           Spot& spot) {
    if constexpr (U == Use::kWrite) return true;
    return fetch_rm<Value<W>>(cpu, insn, value, spot, U);
  }
  template <unsigned W, Use U>
  [[gnu::always_inline]] static bool commit(Cpu& cpu, const Insn& insn, Value<W> value,
                                            const Spot& spot) {
    return commit_rm<Value<W>>(cpu, insn, value, spot, U);
  }
};

// G, B and the register in the opcode.
template <SizeLetter L, Place P>
struct GeneralReg {
  static constexpr Place place = P;
  static constexpr u8 bytes = letter_bytes(L);
  static constexpr bool sized = bytes == 0;
  static constexpr bool vector = false;
  template <unsigned W>
  using Value = typename TypeOf<L, W>::T;
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, Value<W>& value, Spot&) {
    if constexpr (U != Use::kWrite) value = cpu.get<Value<W>>(number(insn));
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, Value<W> value, const Spot&) {
    cpu.put<Value<W>>(number(insn), value);
    return true;
  }

 private:
  static u8 number(const Insn& insn) { return P == Place::kVvvv ? insn.vreg : insn.reg; }
};

// A register that the encoding does not name.
template <SizeLetter L, u8 Offset>
struct FixedRegister {
  static constexpr Place place = Place::kFixed;
  static constexpr u8 bytes = letter_bytes(L);
  static constexpr bool sized = bytes == 0;
  static constexpr bool vector = false;
  static constexpr u8 fixed_register = Offset;
  template <unsigned W>
  using Value = typename TypeOf<L, W>::T;
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn&, Value<W>& value, Spot&) {
    if constexpr (U != Use::kWrite) value = cpu.get<Value<W>>(Offset);
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn&, Value<W> value, const Spot&) {
    cpu.put<Value<W>>(Offset, value);
    return true;
  }
};

// An operand that is only read and costs nothing: immediates, register numbers.
template <SizeLetter L, Place P>
struct ReadOnly {
  static constexpr Place place = P;
  static constexpr u8 bytes = letter_bytes(L);
  static constexpr bool sized = bytes == 0;
  static constexpr bool vector = false;
  template <unsigned W>
  using Value = typename TypeOf<L, W>::T;
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, Value<W>, const Spot&) {
    return true;
  }
};

template <SizeLetter L, bool SignedByte>
struct Immediate : ReadOnly<L, Place::kImmediate> {
  using Base = ReadOnly<L, Place::kImmediate>;
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn& insn, typename Base::template Value<W>& value, Spot&) {
    value = static_cast<typename Base::template Value<W>>(i64{insn.imm});
    return true;
  }
};

// moffs: memory at an offset in the instruction.
template <SizeLetter L>
struct MemoryOffset {
  static constexpr Place place = Place::kOffset;
  static constexpr u8 bytes = letter_bytes(L);
  static constexpr bool sized = bytes == 0;
  static constexpr bool vector = false;
  template <unsigned W>
  using Value = typename TypeOf<L, W>::T;
  static bool address(Cpu& cpu, const Insn& insn, unsigned size, Access access, u64& linear) {
    if (insn.address_kind == AddressKind::kSimple) {
      linear = insn.imm64 + cpu.segment_base[insn.segment];
      return true;
    }
    return cpu.linear_address_slow(insn.segment, insn.imm64 & insn.address_mask(), size, access,
                                   linear);
  }
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, Value<W>& value, Spot&) {
    if constexpr (U == Use::kWrite) return true;
    u64 linear;
    return address(cpu, insn, sizeof value, Access::kRead, linear) &&
           cpu.load_at<Value<W>>(linear, value);
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, Value<W> value, const Spot&) {
    u64 linear;
    return address(cpu, insn, sizeof value, Access::kWrite, linear) &&
           cpu.store_at<Value<W>>(linear, value);
  }
};

#define KITE_OPERAND(NAME, ...)                \
  struct NAME##Kind : __VA_ARGS__ {            \
    static constexpr const char* name = #NAME; \
  };                                           \
  inline constexpr NAME##Kind NAME {}

KITE_OPERAND(Eb, GeneralRm<SizeLetter::kB, Place::kModRm>);
KITE_OPERAND(Ew, GeneralRm<SizeLetter::kW, Place::kModRm>);
KITE_OPERAND(Ed, GeneralRm<SizeLetter::kD, Place::kModRm>);
KITE_OPERAND(Eq, GeneralRm<SizeLetter::kQ, Place::kModRm>);
KITE_OPERAND(Ev, GeneralRm<SizeLetter::kV, Place::kModRm>);
KITE_OPERAND(Ey, GeneralRm<SizeLetter::kY, Place::kModRm>);
KITE_OPERAND(Mb, GeneralRm<SizeLetter::kB, Place::kModRmMemory>);
KITE_OPERAND(Mw, GeneralRm<SizeLetter::kW, Place::kModRmMemory>);
KITE_OPERAND(Md, GeneralRm<SizeLetter::kD, Place::kModRmMemory>);
KITE_OPERAND(Mq, GeneralRm<SizeLetter::kQ, Place::kModRmMemory>);
KITE_OPERAND(Mv, GeneralRm<SizeLetter::kV, Place::kModRmMemory>);
KITE_OPERAND(My, GeneralRm<SizeLetter::kY, Place::kModRmMemory>);
KITE_OPERAND(Rd, GeneralRm<SizeLetter::kD, Place::kModRmRegister>);
KITE_OPERAND(Rq, GeneralRm<SizeLetter::kQ, Place::kModRmRegister>);
KITE_OPERAND(Rv, GeneralRm<SizeLetter::kV, Place::kModRmRegister>);
KITE_OPERAND(Ry, GeneralRm<SizeLetter::kY, Place::kModRmRegister>);
KITE_OPERAND(Gb, GeneralReg<SizeLetter::kB, Place::kModReg>);
KITE_OPERAND(Gw, GeneralReg<SizeLetter::kW, Place::kModReg>);
KITE_OPERAND(Gd, GeneralReg<SizeLetter::kD, Place::kModReg>);
KITE_OPERAND(Gq, GeneralReg<SizeLetter::kQ, Place::kModReg>);
KITE_OPERAND(Gv, GeneralReg<SizeLetter::kV, Place::kModReg>);
KITE_OPERAND(Gy, GeneralReg<SizeLetter::kY, Place::kModReg>);
KITE_OPERAND(By, GeneralReg<SizeLetter::kY, Place::kVvvv>);
KITE_OPERAND(Zb, GeneralReg<SizeLetter::kB, Place::kOpcode>);
KITE_OPERAND(Zv, GeneralReg<SizeLetter::kV, Place::kOpcode>);
KITE_OPERAND(AL, FixedRegister<SizeLetter::kB, kRax * 8>);
KITE_OPERAND(AH, FixedRegister<SizeLetter::kB, kRax * 8 + 1>);
KITE_OPERAND(AX, FixedRegister<SizeLetter::kW, kRax * 8>);
KITE_OPERAND(CL, FixedRegister<SizeLetter::kB, kRcx * 8>);
KITE_OPERAND(DX, FixedRegister<SizeLetter::kW, kRdx * 8>);
KITE_OPERAND(EAX, FixedRegister<SizeLetter::kD, kRax * 8>);
KITE_OPERAND(EDX, FixedRegister<SizeLetter::kD, kRdx * 8>);
KITE_OPERAND(rAX, FixedRegister<SizeLetter::kV, kRax * 8>);
KITE_OPERAND(rDX, FixedRegister<SizeLetter::kV, kRdx * 8>);
KITE_OPERAND(zAX, FixedRegister<SizeLetter::kZ, kRax * 8>);
KITE_OPERAND(Ib, Immediate<SizeLetter::kB, false>);
KITE_OPERAND(sIb, Immediate<SizeLetter::kV, true>);  // Ib sign-extended to the operand size
KITE_OPERAND(Iw, Immediate<SizeLetter::kW, false>);
KITE_OPERAND(Iz, Immediate<SizeLetter::kV, false>);  // sign-extended to 64 bits
KITE_OPERAND(Ob, MemoryOffset<SizeLetter::kB>);
KITE_OPERAND(Ov, MemoryOffset<SizeLetter::kV>);

// The 32-bit source of MOVSXD; with a 16-bit destination only 16 bits are read (SDM 2B).
struct EdSignedKind : GeneralRm<SizeLetter::kZ, Place::kModRm> {
  static constexpr const char* name = "Ed";
};
inline constexpr EdSignedKind EdSigned{};

// An operand that the meaning itself fetches and writes back, because order matters (POP).
struct EvOwnKind : ReadOnly<SizeLetter::kV, Place::kModRm> {
  static constexpr const char* name = "Ev";
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn&, Value<W>&, Spot&) {
    return true;
  }
};
inline constexpr EvOwnKind EvOwn{};

// The bit string of BT and its kin: with memory, the register's whole signed value moves the
// address (SDM 2A "BT").
struct EvBitKind {
  static constexpr const char* name = "Ev";
  static constexpr Place place = Place::kModRm;
  static constexpr u8 bytes = 0;
  static constexpr bool sized = true;
  static constexpr bool vector = false;
  template <unsigned W>
  using Value = typename Sized<W>::V;
  template <unsigned W, Use U>
  static bool locate(Cpu& cpu, const Insn& insn, u64& linear) {
    using T = Value<W>;
    const i64 index = static_cast<std::make_signed_t<T>>(cpu.get<T>(insn.reg));
    constexpr int kShift = sizeof(T) == 8 ? 6 : sizeof(T) == 4 ? 5 : 4;
    const u64 offset = (cpu.effective_address(insn) +
                        static_cast<u64>((index >> kShift) * static_cast<i64>(sizeof(T)))) &
                       insn.address_mask();
    const Access access = U == Use::kRead ? Access::kRead : Access::kWrite;
    if (insn.address_kind == AddressKind::kSimple) {
      linear = offset + cpu.segment_base[insn.segment];
      return true;
    }
    return cpu.linear_address_slow(insn.segment, offset, sizeof(T), access, linear);
  }
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, Value<W>& value, Spot& spot) {
    using T = Value<W>;
    if (!insn.is_memory) {
      value = cpu.get<T>(insn.rm);
      return true;
    }
    if (!locate<W, U>(cpu, insn, spot.linear)) return false;
    if constexpr (U == Use::kRead)
      return cpu.load_at<T>(spot.linear, value, Cpu::is_stack(insn.segment));
    return fetch_to_modify<T>(cpu, insn, value, spot);
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, Value<W> value, const Spot& spot) {
    return commit_rm<Value<W>>(cpu, insn, value, spot, Use::kReadWrite);
  }
};
inline constexpr EvBitKind EvBit{};

// The accumulator of CMPXCHG: written only where it changes, so that an equal comparison leaves the
// upper half of RAX.
template <SizeLetter L>
struct Accumulator : FixedRegister<L, kRax * 8> {
  using Base = FixedRegister<L, kRax * 8>;
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, typename Base::template Value<W>& value,
                    Spot& spot) {
    Base::template fetch<W, U>(cpu, insn, value, spot);
    spot.linear = value;
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu& cpu, const Insn& insn, typename Base::template Value<W> value,
                     const Spot& spot) {
    return value == spot.linear || Base::template commit<W, U>(cpu, insn, value, spot);
  }
};
struct AccumulatorBKind : Accumulator<SizeLetter::kB> {
  static constexpr const char* name = "AL";
};
inline constexpr AccumulatorBKind AccumulatorB{};
struct AccumulatorVKind : Accumulator<SizeLetter::kV> {
  static constexpr const char* name = "rAX";
};
inline constexpr AccumulatorVKind AccumulatorV{};

// A general register as wide as the mode, which the meaning reads or writes itself (MOV CRn). The
// ModRM byte's mod is ignored (SDM 2B "MOV—Move to/from Control Registers"), so the row needs
// `register_form`.
struct RvOwnKind : ReadOnly<SizeLetter::kV, Place::kModRm> {
  static constexpr const char* name = "Rd";
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn&, Value<W>&, Spot&) {
    return true;
  }
};
inline constexpr RvOwnKind RvOwn{};

struct IvKind : ReadOnly<SizeLetter::kV, Place::kImmediate> {
  static constexpr const char* name = "Iv";
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn& insn, Value<W>& value, Spot&) {
    value = static_cast<Value<W>>(insn.imm64);
    return true;
  }
};
inline constexpr IvKind Iv{};

// The constant 1 of the shifts.
struct OneKind : ReadOnly<SizeLetter::kB, Place::kFixed> {
  static constexpr const char* name = "1";
  static constexpr u8 fixed_register = 0xff;
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn&, Value<W>& value, Spot&) {
    value = 1;
    return true;
  }
};
inline constexpr OneKind One{};

// A relative branch: the meaning sees the signed displacement, as 64 bits.
template <bool Byte>
struct Relative : ReadOnly<SizeLetter::kQ, Place::kRelative> {
  static constexpr const char* name = Byte ? "Jb" : "Jz";
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn& insn, u64& value, Spot&) {
    value = static_cast<u64>(i64{insn.imm});
    return true;
  }
};
inline constexpr Relative<true> Jb{};
inline constexpr Relative<false> Jz{};

// A far pointer: offset in the low 32 bits, selector above.
struct ApKind : ReadOnly<SizeLetter::kQ, Place::kFar> {
  static constexpr const char* name = "Ap";
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn& insn, u64& value, Spot&) {
    value = insn.imm64;
    return true;
  }
};
inline constexpr ApKind Ap{};

// Memory whose address is all the meaning wants: it sees the offset, cut to the address size.
struct MKind : ReadOnly<SizeLetter::kQ, Place::kModRmMemory> {
  static constexpr const char* name = "M";
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, u64& value, Spot&) {
    value = cpu.effective_address(insn) & insn.address_mask();
    return true;
  }
};
inline constexpr MKind M{};

// A far pointer in memory, which the meaning loads itself.
struct MpKind : MKind {
  static constexpr const char* name = "Mp";
};
inline constexpr MpKind Mp{};

// Two registers' worth of memory, which the meaning reaches itself.
struct MPairKind : MKind {
  static constexpr const char* name = "Mdq";
};
inline constexpr MPairKind MPair{};

// Segment, control and debug registers: the meaning sees the number.
template <char Letter>
struct SpecialRegister : ReadOnly<SizeLetter::kB, Place::kModReg> {
  static constexpr bool vector = true;  // not a general register
  static constexpr const char* name = Letter == 'S' ? "Sw" : Letter == 'C' ? "Cd" : "Dd";
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn& insn, u8& value, Spot&) {
    // REX.R is no part of a segment register's number: there are eight numbers, and processors ignore
    // it.
    value = Letter == 'S' ? insn.reg / 8 & 7 : insn.reg / 8;
    return true;
  }
};
inline constexpr SpecialRegister<'S'> Sw{};
inline constexpr SpecialRegister<'C'> Cd{};
inline constexpr SpecialRegister<'D'> Dd{};

}  // namespace kite::tcg
