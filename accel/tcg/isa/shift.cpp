// Shifts and rotates: ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD.
#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

template <class T>
constexpr unsigned kWidth = 8 * sizeof(T);

// The count is cut to 5 bits, 6 for 64-bit operands; 0 leaves flags alone (SDM 2B "SAL/SAR/SHL/SHR").
template <class T>
unsigned cut(u8 count) {
  return count & (sizeof(T) == 8 ? 63 : 31);
}

template <class T>
bool top(T value) {
  return (value >> (kWidth<T> - 1)) & 1;
}

constexpr auto rol = []<class T>(Cpu& cpu, T& dst, u8 count) {
  if (cut<T>(count) == 0) return;
  dst = std::rotl(dst, static_cast<int>(cut<T>(count) % kWidth<T>));
  const bool carry = dst & 1;
  cpu.flags.set_carry(carry, top(dst) != carry);
};

constexpr auto ror = []<class T>(Cpu& cpu, T& dst, u8 count) {
  if (cut<T>(count) == 0) return;
  dst = std::rotr(dst, static_cast<int>(cut<T>(count) % kWidth<T>));
  const bool next = (dst >> (kWidth<T> - 2)) & 1;
  cpu.flags.set_carry(top(dst), top(dst) != next);
};

// Rotation through CF: kWidth + 1 bits.
constexpr auto rcl = []<class T>(Cpu& cpu, T& dst, u8 count) {
  unsigned n = cut<T>(count) % (kWidth<T> + 1);
  bool carry = cpu.flags.cf();
  if (cut<T>(count) == 0) return;
  for (; n; --n) {
    const bool out = top(dst);
    dst = static_cast<T>(dst << 1 | carry);
    carry = out;
  }
  cpu.flags.set_carry(carry, top(dst) != carry);
};

constexpr auto rcr = []<class T>(Cpu& cpu, T& dst, u8 count) {
  unsigned n = cut<T>(count) % (kWidth<T> + 1);
  bool carry = cpu.flags.cf();
  if (cut<T>(count) == 0) return;
  for (; n; --n) {
    const bool out = dst & 1;
    dst = static_cast<T>(dst >> 1 | static_cast<T>(T{carry} << (kWidth<T> - 1)));
    carry = out;
  }
  const bool next = (dst >> (kWidth<T> - 2)) & 1;
  cpu.flags.set_carry(carry, top(dst) != next);
};

constexpr auto shl = []<class T>(Cpu& cpu, T& dst, u8 count) {
  const unsigned n = cut<T>(count);
  if (n == 0) return;
  const bool carry = n <= kWidth<T> && ((u64{dst} >> (kWidth<T> - n)) & 1);
  dst = n < kWidth<T> ? static_cast<T>(dst << n) : 0;
  cpu.flags.result<T>(dst, carry, top(dst) != carry);
};

constexpr auto shr = []<class T>(Cpu& cpu, T& dst, u8 count) {
  const unsigned n = cut<T>(count);
  if (n == 0) return;
  const bool carry = n <= kWidth<T> && ((dst >> (n - 1)) & 1);
  const bool overflow = top(dst) && n == 1;
  dst = n < kWidth<T> ? static_cast<T>(dst >> n) : 0;
  cpu.flags.result<T>(dst, carry, overflow);
};

constexpr auto sar = []<class T>(Cpu& cpu, T& dst, u8 count) {
  const unsigned n = cut<T>(count);
  if (n == 0) return;
  const i64 value = static_cast<std::make_signed_t<T>>(dst);
  const bool carry = (value >> (n - 1)) & 1;
  dst = static_cast<T>(value >> n);
  cpu.flags.result<T>(dst, carry, false);
};

// SHLD and SHRD of 16 bits by more than 16 are undefined: as if the two operands followed each other for ever.
template <class T>
Flow shift_double(Cpu& cpu, T& dst, T src, unsigned n, bool left) {
  if (n == 0) return Flow::kNext;
  const T before = dst;
  bool carry;
  if constexpr (sizeof(T) == 2) {
    const u64 chain = left ? u64{dst} << 32 | u64{src} << 16 | dst
                           : u64{src} << 16 | dst | u64{dst} << 32;
    carry = (chain >> (left ? 48 - n : n - 1)) & 1;
    dst = static_cast<T>(left ? chain << n >> 32 : chain >> n);
  } else {
    carry = (left ? before >> (kWidth<T> - n) : before >> (n - 1)) & 1;
    dst = left ? static_cast<T>(dst << n | src >> (kWidth<T> - n))
               : static_cast<T>(dst >> n | src << (kWidth<T> - n));
  }
  cpu.flags.result<T>(dst, carry, top(dst) != top(before));
  return Flow::kNext;
}

constexpr auto shld = []<class T>(Cpu& cpu, T& dst, T src, u8 count) {
  return shift_double<T>(cpu, dst, src, cut<T>(count), true);
};

constexpr auto shrd = []<class T>(Cpu& cpu, T& dst, T src, u8 count) {
  return shift_double<T>(cpu, dst, src, cut<T>(count), false);
};

constexpr Row kRows[] = {
    row("C0 /0 ib", "rol", rw(Eb), r(Ib), "-    M", rol),
    row("C1 /0 ib", "rol", rw(Ev), r(Ib), "-    M", rol),
    row("D0 /0", "rol", rw(Eb), r(One), "M    M", rol),
    row("D1 /0", "rol", rw(Ev), r(One), "M    M", rol),
    row("D2 /0", "rol", rw(Eb), r(CL), "-    M", rol),
    row("D3 /0", "rol", rw(Ev), r(CL), "-    M", rol),
    row("C0 /1 ib", "ror", rw(Eb), r(Ib), "-    M", ror),
    row("C1 /1 ib", "ror", rw(Ev), r(Ib), "-    M", ror),
    row("D0 /1", "ror", rw(Eb), r(One), "M    M", ror),
    row("D1 /1", "ror", rw(Ev), r(One), "M    M", ror),
    row("D2 /1", "ror", rw(Eb), r(CL), "-    M", ror),
    row("D3 /1", "ror", rw(Ev), r(CL), "-    M", ror),
    row("C0 /2 ib", "rcl", rw(Eb), r(Ib), "-    B", rcl),
    row("C1 /2 ib", "rcl", rw(Ev), r(Ib), "-    B", rcl),
    row("D0 /2", "rcl", rw(Eb), r(One), "M    B", rcl),
    row("D1 /2", "rcl", rw(Ev), r(One), "M    B", rcl),
    row("D2 /2", "rcl", rw(Eb), r(CL), "-    B", rcl),
    row("D3 /2", "rcl", rw(Ev), r(CL), "-    B", rcl),
    row("C0 /3 ib", "rcr", rw(Eb), r(Ib), "-    B", rcr),
    row("C1 /3 ib", "rcr", rw(Ev), r(Ib), "-    B", rcr),
    row("D0 /3", "rcr", rw(Eb), r(One), "M    B", rcr),
    row("D1 /3", "rcr", rw(Ev), r(One), "M    B", rcr),
    row("D2 /3", "rcr", rw(Eb), r(CL), "-    B", rcr),
    row("D3 /3", "rcr", rw(Ev), r(CL), "-    B", rcr),
    row("C0 /4 ib", "shl", rw(Eb), r(Ib), "-MM-MM", shl),
    row("C1 /4 ib", "shl", rw(Ev), r(Ib), "-MM-MM", hot, shl),
    row("D0 /4", "shl", rw(Eb), r(One), "MMM-MM", shl),
    row("D1 /4", "shl", rw(Ev), r(One), "MMM-MM", hot, shl),
    row("D2 /4", "shl", rw(Eb), r(CL), "-MM-MM", shl),
    row("D3 /4", "shl", rw(Ev), r(CL), "-MM-MM", hot, shl),
    row("C0 /5 ib", "shr", rw(Eb), r(Ib), "-MM-MM", shr),
    row("C1 /5 ib", "shr", rw(Ev), r(Ib), "-MM-MM", hot, shr),
    row("D0 /5", "shr", rw(Eb), r(One), "MMM-MM", shr),
    row("D1 /5", "shr", rw(Ev), r(One), "MMM-MM", hot, shr),
    row("D2 /5", "shr", rw(Eb), r(CL), "-MM-MM", shr),
    row("D3 /5", "shr", rw(Ev), r(CL), "-MM-MM", hot, shr),
    row("C0 /6 ib", "shl", rw(Eb), r(Ib), "-MM-MM", shl),
    row("C1 /6 ib", "shl", rw(Ev), r(Ib), "-MM-MM", shl),
    row("D0 /6", "shl", rw(Eb), r(One), "MMM-MM", shl),
    row("D1 /6", "shl", rw(Ev), r(One), "MMM-MM", shl),
    row("D2 /6", "shl", rw(Eb), r(CL), "-MM-MM", shl),
    row("D3 /6", "shl", rw(Ev), r(CL), "-MM-MM", shl),
    row("C0 /7 ib", "sar", rw(Eb), r(Ib), "-MM-MM", sar),
    row("C1 /7 ib", "sar", rw(Ev), r(Ib), "-MM-MM", hot, sar),
    row("D0 /7", "sar", rw(Eb), r(One), "MMM-MM", sar),
    row("D1 /7", "sar", rw(Ev), r(One), "MMM-MM", hot, sar),
    row("D2 /7", "sar", rw(Eb), r(CL), "-MM-MM", sar),
    row("D3 /7", "sar", rw(Ev), r(CL), "-MM-MM", hot, sar),
    row("0F A4 /r ib", "shld", rw(Ev), r(Gv), r(Ib), "-MM-MM", shld),
    row("0F A5 /r", "shld", rw(Ev), r(Gv), r(CL), "-MM-MM", shld),
    row("0F AC /r ib", "shrd", rw(Ev), r(Gv), r(Ib), "-MM-MM", shrd),
    row("0F AD /r", "shrd", rw(Ev), r(Gv), r(CL), "-MM-MM", shrd),
};

}  // namespace

std::span<const Row> shift_rows() { return kRows; }

}  // namespace kite::tcg
