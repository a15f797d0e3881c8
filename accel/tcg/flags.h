// Flags: the arithmetic flags of RFLAGS, kept as the values they follow from until somebody asks.
#pragma once

#include <bit>
#include <type_traits>

#include "base/bits.h"
#include "base/types.h"

namespace kite::tcg {

// The arithmetic bits of RFLAGS (SDM 1 3.4.3.1).
inline constexpr u32 kCf = 1u << 0;
inline constexpr u32 kPf = 1u << 2;
inline constexpr u32 kAf = 1u << 4;
inline constexpr u32 kZf = 1u << 6;
inline constexpr u32 kSf = 1u << 7;
inline constexpr u32 kOf = 1u << 11;
inline constexpr u32 kArithmeticFlags = kCf | kPf | kAf | kZf | kSf | kOf;

// Most instructions set flags that nobody reads, so an operation stores three words and every flag
// is a shift or a compare away:
//   result   the result, sign-extended: ZF is result == 0, SF its sign, PF the parity of its low
//   byte carries  bit 63 is the carry out of the top bit (CF), bit 62 the carry into it: OF is
//   their difference aux      bit 4: operand bits whose difference from the result's is AF
//            bit 8 flips SF and bits 16..23 are XORed into the byte PF looks at; both are 0 but
//            after set(), because no result is both zero and negative.
class Flags {
 public:
  bool cf() const { return carries_ >> 63; }
  bool of() const { return (carries_ ^ (carries_ << 1)) >> 63; }
  bool zf() const { return result_ == 0; }
  bool sf() const { return ((result_ >> 63) ^ (aux_ >> 8)) & 1; }
  bool pf() const { return (std::popcount(static_cast<u8>(result_ ^ (aux_ >> 16))) & 1) == 0; }
  bool af() const { return ((aux_ ^ result_) >> 4) & 1; }

  // The arithmetic bits as RFLAGS has them.
  u32 get() const {
    return (cf() ? kCf : 0) | (pf() ? kPf : 0) | (af() ? kAf : 0) | (zf() ? kZf : 0) |
           (sf() ? kSf : 0) | (of() ? kOf : 0);
  }

  void set(u32 rflags) {
    result_ = rflags & kZf ? 0 : 1;
    const u64 parity_fix = rflags & kPf ? result_ : result_ ^ 1;
    aux_ = (rflags & kAf) | (rflags & kSf ? 0x100 : 0) | (parity_fix << 16);
    set_carry(rflags & kCf, rflags & kOf);
  }

  // Only some bits, by their RFLAGS position; the others stay.
  void update(u32 mask, u32 rflags) { set((get() & ~mask) | (rflags & mask)); }
  void set_cf(bool carry) { set_carry(carry, of()); }
  void set_carry(bool carry, bool overflow) {
    carries_ = (u64{carry} << 63) | (u64{carry != overflow} << 62);
  }

  // a + b (+ carry) = r and a - b (- borrow) = r, in the width of T.
  template <class T>
  void add(T a, T b, T r) {
    note<T>(r, a ^ b, (a & b) | ((a | b) & ~r));
  }
  template <class T>
  void sub(T a, T b, T r) {
    note<T>(r, a ^ b, (~a & b) | ((~a | b) & r));
  }
  // As add and sub of 1, CF kept: INC and DEC.
  template <class T>
  void inc(T a, T r) {
    const bool carry = cf();
    add<T>(a, 1, r);
    set_carry(carry, of());
  }
  template <class T>
  void dec(T a, T r) {
    const bool carry = cf();
    sub<T>(a, 1, r);
    set_carry(carry, of());
  }
  // AND, OR, XOR, TEST: CF and OF are 0; AF, undefined in the manual, is 0 as on today's
  // processors.
  template <class T>
  void logic(T r) {
    result_ = extend(r);
    aux_ = result_ & 0x10;
    carries_ = 0;
  }
  // ZF, SF and PF of r with CF and OF given: shifts, multiplications. AF, undefined in the manual,
  // is 0.
  template <class T>
  void result(T r, bool carry, bool overflow) {
    logic<T>(r);
    set_carry(carry, overflow);
  }

 private:
  template <class T>
  static u64 extend(T value) {
    return static_cast<u64>(static_cast<i64>(static_cast<std::make_signed_t<T>>(value)));
  }
  template <class T>
  void note(T r, u64 operands, u64 carry_vector) {
    result_ = extend(r);
    aux_ = operands & 0x10;
    carries_ = carry_vector << (64 - 8 * sizeof(T));
  }

  u64 result_ = 1;
  u64 carries_ = 0;
  u64 aux_ = 1 << 16;
};

}  // namespace kite::tcg
