// MUL, IMUL, DIV, IDIV and the decimal adjustments.
#include "accel/tcg/isa/row.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {
namespace {

template <std::size_t Bytes>
struct Double;
template <>
struct Double<1> {
  using U = u16;
  using I = i16;
};
template <>
struct Double<2> {
  using U = u32;
  using I = i32;
};
template <>
struct Double<4> {
  using U = u64;
  using I = i64;
};
template <>
struct Double<8> {
  using U = u128;
  using I = i128;
};
template <class T>
using Wide = typename Double<sizeof(T)>::U;
template <class T>
using WideSigned = typename Double<sizeof(T)>::I;
template <class T>
using Signed = std::make_signed_t<T>;
template <class T>
constexpr unsigned kWidth = 8 * sizeof(T);

// CF and OF say whether the upper half is more than the lower half's extension; the rest is undefined.
template <class T>
Wide<T> multiply(Cpu& cpu, T a, T b) {
  const Wide<T> product = static_cast<Wide<T>>(Wide<T>{a} * Wide<T>{b});
  const bool large = product >> kWidth<T> != 0;
  cpu.flags.result<T>(static_cast<T>(product), large, large);
  return product;
}

template <class T>
Wide<T> multiply_signed(Cpu& cpu, T a, T b) {
  const auto product = static_cast<WideSigned<T>>(WideSigned<T>{static_cast<Signed<T>>(a)} *
                                                  WideSigned<T>{static_cast<Signed<T>>(b)});
  const bool large = product != static_cast<Signed<T>>(product);
  cpu.flags.result<T>(static_cast<T>(product), large, large);
  return static_cast<Wide<T>>(product);
}

constexpr auto mul = []<class T>(Cpu& cpu, T& high, T& low, T src) {
  const Wide<T> product = multiply<T>(cpu, low, src);
  low = static_cast<T>(product);
  high = static_cast<T>(product >> kWidth<T>);
};

constexpr auto imul = []<class T>(Cpu& cpu, T& high, T& low, T src) {
  const Wide<T> product = multiply_signed<T>(cpu, low, src);
  low = static_cast<T>(product);
  high = static_cast<T>(product >> kWidth<T>);
};

constexpr auto imul2 = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(multiply_signed<T>(cpu, dst, src));
};

constexpr auto imul3 = []<class T>(Cpu& cpu, T& dst, T a, T b) {
  dst = static_cast<T>(multiply_signed<T>(cpu, a, b));
};

constexpr auto div = []<class T>(Cpu& cpu, T& high, T& low, T divisor) {
  if (divisor == 0 || high >= divisor) return cpu.raise(kDivideError);
  if (sizeof(T) == 8 && high == 0) {  // spares the 128-bit division
    high = low % divisor;
    low = low / divisor;
    return Flow::kNext;
  }
  const auto dividend = static_cast<Wide<T>>(Wide<T>{high} << kWidth<T> | low);
  low = static_cast<T>(dividend / divisor);
  high = static_cast<T>(dividend % divisor);
  return Flow::kNext;
};

constexpr auto idiv = []<class T>(Cpu& cpu, T& high, T& low, T src) {
  const auto unsigned_dividend = static_cast<Wide<T>>(Wide<T>{high} << kWidth<T> | low);
  const auto dividend = static_cast<WideSigned<T>>(unsigned_dividend);
  const WideSigned<T> divisor = static_cast<Signed<T>>(src);
  if (divisor == 0) return cpu.raise(kDivideError);
  // The most negative dividend by -1 has no quotient in any width.
  if (divisor == -1 && unsigned_dividend == Wide<T>{1} << (2 * kWidth<T> - 1))
    return cpu.raise(kDivideError);
  const auto quotient = static_cast<WideSigned<T>>(dividend / divisor);
  if (quotient != static_cast<Signed<T>>(quotient)) return cpu.raise(kDivideError);
  low = static_cast<T>(quotient);
  high = static_cast<T>(dividend % divisor);
  return Flow::kNext;
};

constexpr auto aaa = [](Cpu& cpu, u16& ax) {
  const bool adjust = (ax & 0xf) > 9 || cpu.flags.af();
  if (adjust) ax = static_cast<u16>(ax + 0x106);
  ax &= 0xff0f;
  cpu.flags.logic<u8>(static_cast<u8>(ax));
  cpu.flags.update(kAf | kCf, adjust ? kAf | kCf : 0);
};

constexpr auto aas = [](Cpu& cpu, u16& ax) {
  const bool adjust = (ax & 0xf) > 9 || cpu.flags.af();
  if (adjust) ax = static_cast<u16>(ax - 0x106);
  ax &= 0xff0f;
  cpu.flags.logic<u8>(static_cast<u8>(ax));
  cpu.flags.update(kAf | kCf, adjust ? kAf | kCf : 0);
};

// DAA and DAS: `sign` is +1 or -1.
template <int Sign>
constexpr auto decimal_adjust = [](Cpu& cpu, u8& al) {
  const u8 before = al;
  const bool low = (al & 0xf) > 9 || cpu.flags.af();
  const bool carry_before = cpu.flags.cf();
  const bool high = before > 0x99 || carry_before;
  bool carry = high;
  if (low) {
    carry |= Sign < 0 ? before < 6 : false;
    al = static_cast<u8>(al + Sign * 6);
  }
  if (high) al = static_cast<u8>(al + Sign * 0x60);
  cpu.flags.logic<u8>(al);
  cpu.flags.update(kAf | kCf, (low ? kAf : 0) | (carry ? kCf : 0));
};

constexpr auto aam = [](Cpu& cpu, u16& ax, u8 base) {
  if (base == 0) return cpu.raise(kDivideError);
  const u8 al = static_cast<u8>(ax);
  ax = static_cast<u16>((al / base) << 8 | al % base);
  cpu.flags.logic<u8>(static_cast<u8>(ax));
  return Flow::kNext;
};

constexpr auto aad = [](Cpu& cpu, u16& ax, u8 base) {
  ax = static_cast<u8>((ax & 0xff) + (ax >> 8) * base);
  cpu.flags.logic<u8>(static_cast<u8>(ax));
};

constexpr Row kRows[] = {
    row("F6 /4", "mul", rw(AH), rw(AL), r(Eb), "M----M", mul),
    row("F7 /4", "mul", rw(rDX), rw(rAX), r(Ev), "M----M", mul),
    row("F6 /5", "imul", rw(AH), rw(AL), r(Eb), "M----M", imul),
    row("F7 /5", "imul", rw(rDX), rw(rAX), r(Ev), "M----M", imul),
    row("0F AF /r", "imul", rw(Gv), r(Ev), "M----M", hot, imul2),
    row("69 /r iz", "imul", w(Gv), r(Ev), r(Iz), "M----M", imul3),
    row("6B /r ib", "imul", w(Gv), r(Ev), r(sIb), "M----M", imul3),
    row("F6 /6", "div", rw(AH), rw(AL), r(Eb), "------", div),
    row("F7 /6", "div", rw(rDX), rw(rAX), r(Ev), "------", div),
    row("F6 /7", "idiv", rw(AH), rw(AL), r(Eb), "------", idiv),
    row("F7 /7", "idiv", rw(rDX), rw(rAX), r(Ev), "------", idiv),
    row("37", "aaa", rw(AX), "---B-M", not64, aaa),
    row("3F", "aas", rw(AX), "---B-M", not64, aas),
    row("27", "daa", rw(AL), "-MMBMB", not64, decimal_adjust<1>),
    row("2F", "das", rw(AL), "-MMBMB", not64, decimal_adjust<-1>),
    row("D4 ib", "aam", rw(AX), r(Ib), "-MM-M-", not64, aam),
    row("D5 ib", "aad", rw(AX), r(Ib), "-MM-M-", not64, aad),
};

}  // namespace

std::span<const Row> multiply_rows() { return kRows; }

}  // namespace kite::tcg
