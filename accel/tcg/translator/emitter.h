// Emitter: host instructions as bytes. Only what translated code is made of, and nothing that
// touches the flags where its name does not say so: the guest's flags are in the host's.
#pragma once

#include <cassert>
#include <cstring>

#include "base/bits.h"
#include "base/types.h"

namespace kite::tcg {

// A general register of the host, by its number in encodings (SDM 2A table 2-2).
enum class Host : u8 {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15
};
constexpr unsigned number(Host reg) {
  return static_cast<unsigned>(reg);
}

// base + index * 2^scale + displacement; an index of RSP is none.
struct HostOperand {
  Host base;
  Host index = Host::kRsp;
  u8 scale = 0;
  i32 displacement = 0;
};

// Up to eight bytes, put together in a register: one by one they would wait for each other in
// memory.
class FewBytes {
 public:
  [[gnu::always_inline]] FewBytes& byte(unsigned value) { return append(value & 0xff, 1); }
  [[gnu::always_inline]] FewBytes& rex(bool wide, unsigned reg, unsigned index, unsigned base,
                                       bool always = false) {
    const unsigned value =
        (wide ? 8u : 0u) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
    return value || always ? byte(0x40 | value) : *this;
  }
  [[gnu::always_inline]] FewBytes& modrm(unsigned reg, unsigned rm) {
    return byte(0xc0 | (reg & 7) << 3 | (rm & 7));
  }
  [[gnu::always_inline]] FewBytes& modrm(unsigned reg, const HostOperand& memory) {
    const unsigned base = number(memory.base), index = number(memory.index);
    const bool with_sib = (base & 7) == 4 || index != 4;
    const bool none = memory.displacement == 0 && (base & 7) != 5;
    const bool small = memory.displacement == static_cast<i8>(memory.displacement);
    byte((none ? 0x00u : small ? 0x40u : 0x80u) | (reg & 7) << 3 | (with_sib ? 4 : base & 7));
    if (with_sib) byte(unsigned{memory.scale} << 6 | (index & 7) << 3 | (base & 7));
    if (none) return *this;
    const auto displacement = static_cast<u32>(memory.displacement);
    return small ? byte(displacement) : append(displacement, 4);
  }
  u64 value() const { return value_; }
  unsigned count() const { return count_; }

 private:
  [[gnu::always_inline]] FewBytes& append(u64 value, unsigned count) {
    value_ |= value << 8 * count_;
    count_ += count;
    return *this;
  }
  u64 value_ = 0;
  unsigned count_ = 0;
};

// Writes through `at`, which is the writable view of what will be executed. Nobody checks for room:
// the owner reserves it (kMost… in block_writer.h), with some bytes to spare.
class Emitter {
 public:
  explicit Emitter(u8* at) : at_(at) {}

  u8* at() const { return at_; }
  void byte(unsigned value) { *at_++ = static_cast<u8>(value); }
  template <class T>
  void put(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void bytes(const u8* from, std::size_t count) {
    std::memcpy(at_, from, count);
    at_ += count;
  }

  // All eight, of which the last are written again by what follows.
  void write(const FewBytes& bytes) {
    const u64 value = bytes.value();
    std::memcpy(at_, &value, sizeof value);
    at_ += bytes.count();
  }
  // REX with W as given, and R, X, B from the registers of a ModRM operand; left out if empty.
  void rex(bool wide, unsigned reg, unsigned index, unsigned base, bool always = false) {
    write(FewBytes().rex(wide, reg, index, base, always));
  }
  // ModRM and what follows it.
  void modrm(unsigned reg, unsigned rm) { byte(0xc0 | (reg & 7) << 3 | (rm & 7)); }
  void modrm(unsigned reg, const HostOperand& memory) { write(FewBytes().modrm(reg, memory)); }

  [[gnu::always_inline]] void op(bool wide, unsigned opcode, unsigned reg, Host rm) {
    write(FewBytes().rex(wide, reg, 0, number(rm)).byte(opcode).modrm(reg, number(rm)));
  }
  [[gnu::always_inline]] void op(bool wide, unsigned opcode, unsigned reg,
                                 const HostOperand& memory) {
    const unsigned index = number(memory.index);
    write(FewBytes()
              .rex(wide, reg, index == 4 ? 0 : index, number(memory.base))
              .byte(opcode)
              .modrm(reg, memory));
  }

  void mov(Host to, Host from) { op(true, 0x8b, number(to), from); }
  void mov32(Host to, Host from) { op(false, 0x8b, number(to), from); }
  void mov(Host to, const HostOperand& from) { op(true, 0x8b, number(to), from); }
  void mov32(Host to, const HostOperand& from) { op(false, 0x8b, number(to), from); }
  void mov(const HostOperand& to, Host from) { op(true, 0x89, number(from), to); }
  void mov32(const HostOperand& to, Host from) { op(false, 0x89, number(from), to); }
  void mov32(Host to, u32 value) {
    write(FewBytes().rex(false, 0, 0, number(to)).byte(0xb8 | (number(to) & 7)));
    put(value);
  }
  void mov64(Host to, u64 value) {
    rex(true, 0, 0, number(to));
    byte(0xb8 | (number(to) & 7));
    put(value);
  }
  void mov32(const HostOperand& to, u32 value) {
    op(false, 0xc7, 0, to);
    put(value);
  }
  void mov_sign_extended(const HostOperand& to, i32 value) {
    op(true, 0xc7, 0, to);
    put(value);
  }
  void lea(Host to, const HostOperand& memory) { op(true, 0x8d, number(to), memory); }
  void lea32(Host to, const HostOperand& memory) { op(false, 0x8d, number(to), memory); }
  void movzx16(Host to, Host from) {
    write(FewBytes()
              .rex(false, number(to), 0, number(from))
              .byte(0x0f)
              .byte(0xb7)
              .modrm(number(to), number(from)));
  }
  void movzx16(Host to, const HostOperand& from) {
    rex(false, number(to), number(from.index) == 4 ? 0 : number(from.index), number(from.base));
    byte(0x0f);
    byte(0xb7);
    modrm(number(to), from);
  }
  void movzx8(Host to, Host from) {  // of registers that need no REX
    byte(0x0f);
    byte(0xb6);
    modrm(number(to), number(from));
  }
  void not32(Host reg) { op(false, 0xf7, 2, reg); }
  // BMI2: a rotation that leaves the flags alone.
  void rorx(Host to, Host from, u8 count) {
    write(FewBytes()
              .byte(0xc4)
              .byte((number(to) & 8 ? 0u : 0x80u) | 0x40u | (number(from) & 8 ? 0u : 0x20u) | 3u)
              .byte(0xfb)
              .byte(0xf0)
              .modrm(number(to), number(from))
              .byte(count));
  }
  // BMI2: a shift that leaves the flags alone, by the low six bits of `count`.
  void shrx(Host to, Host from, Host count) {
    byte(0xc4);
    byte((number(to) & 8 ? 0 : 0x80) | 0x40 | (number(from) & 8 ? 0 : 0x20) | 2);
    byte(0x83 | (~number(count) & 15) << 3);
    byte(0xf7);
    modrm(number(to), number(from));
  }
  // BMI2: the bits that `mask` has, together at the low end; or from there to where it has them.
  void pext(Host to, Host from, const HostOperand& mask) { pick(to, from, mask, 0x82); }
  void pdep(Host to, Host from, const HostOperand& mask) { pick(to, from, mask, 0x83); }
  void pushf() { byte(0x9c); }
  void push(Host reg) {
    rex(false, 0, 0, number(reg));
    byte(0x50 | (number(reg) & 7));
  }
  void pop(Host reg) {
    rex(false, 0, 0, number(reg));
    byte(0x58 | (number(reg) & 7));
  }
  void call(Host reg) { op(false, 0xff, 2, reg); }
  void jmp(Host reg) { op(false, 0xff, 4, reg); }
  void jmp(const HostOperand& memory) { op(false, 0xff, 4, memory); }

  // Jumps to a place that is known; in the same view as at().
  static constexpr u8 kJmp = 0xe9, kCall = 0xe8;  // with displacements of four bytes
  void jmp(const u8* target) {
    byte(kJmp);
    relative32(target);
  }
  void call(const u8* target) {
    byte(kCall);
    relative32(target);
  }
  void relative32(const u8* target) { put(static_cast<i32>(target - (at_ + 4))); }
  // JRCXZ with a target to be bound: the place of its displacement.
  u8* jrcxz() {
    byte(0xe3);
    byte(0);
    return at_ - 1;
  }
  static bool reaches(const u8* displacement, const u8* target) {
    const auto distance = target - (displacement + 1);
    return distance >= -128 && distance <= 127;
  }
  static void bind8(u8* displacement, const u8* target) {
    if (!reaches(displacement, target)) __builtin_trap();
    *displacement = static_cast<u8>(target - (displacement + 1));
  }
  static void bind32(u8* displacement, const u8* target) {
    const auto value = static_cast<i32>(target - (displacement + 4));
    std::memcpy(displacement, &value, sizeof value);
  }

  // VEX.W1 F5h of the map behind 0Fh 38h; `last`: W and the prefix.
  void pick(Host to, Host from, const HostOperand& mask, unsigned last) {
    byte(0xc4);
    byte((number(to) & 8 ? 0 : 0x80) | 0x40 | (number(mask.base) & 8 ? 0 : 0x20) | 2);
    byte(last | (~number(from) & 15) << 3);
    byte(0xf5);
    modrm(number(to), mask);
  }

  // LAHF; SETO AL: the six arithmetic flags into AX.
  void flags_to_ax() {
    byte(0x9f);
    byte(0x0f), byte(0x90), byte(0xc0);
  }
  // The way back: ADD AL, 7Fh sets OF from AL's 1; SAHF the others.
  void ax_to_flags() {
    byte(0x04), byte(0x7f);
    byte(0x9e);
  }

 private:
  u8* at_;
};

}  // namespace kite::tcg
