// Data movement: MOV, MOVZX, MOVSX, LEA, XCHG, CMOVcc, SETcc, BSWAP, XLAT, CBW and its kin.
#include "accel/tcg/isa/condition.h"
#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

constexpr auto mov = [](Cpu&, auto& dst, auto src) { dst = src; };

constexpr auto movsx = []<class T, class S>(Cpu&, T& dst, S src) {
  dst = static_cast<T>(static_cast<std::make_signed_t<S>>(src));
};

constexpr auto lea = []<class T>(Cpu&, T& dst, u64 offset) { dst = static_cast<T>(offset); };

constexpr auto xchg = [](Cpu&, auto& a, auto& b) { std::swap(a, b); };

template <unsigned CC>
constexpr auto cmov = [](Cpu& cpu, auto& dst, auto src) {
  if (condition<CC>(cpu.flags)) dst = src;
};

template <unsigned CC>
constexpr auto setcc = [](Cpu& cpu, u8& dst) { dst = condition<CC>(cpu.flags); };

constexpr auto bswap = []<class T>(Cpu&, T& value) {
  if constexpr (sizeof(T) == 2)
    value = 0;  // undefined in the manual; what processors do
  else if constexpr (sizeof(T) == 4)
    value = __builtin_bswap32(value);
  else
    value = __builtin_bswap64(value);
};

constexpr auto xlat = [](Cpu& cpu, const Insn& insn, u8& al) {
  const u64 offset = (cpu.gpr[kRbx] + al) & insn.address_mask();
  u64 linear = offset + cpu.segment_base[insn.segment];
  if (insn.address_kind == AddressKind::kSegmented &&
      !cpu.linear_address_slow(insn.segment, offset, 1, Access::kRead, linear))
    return Flow::kFault;
  return cpu.load_at<u8>(linear, al) ? Flow::kNext : Flow::kFault;
};

// CBW, CWDE, CDQE: the lower half of rAX, sign-extended.
constexpr auto cbw = []<class T>(Cpu&, T& value) {
  constexpr unsigned kHalf = sizeof(T) * 4;
  value = static_cast<T>(sign_extend(value & ((T{1} << kHalf) - 1), kHalf));
};

// CWD, CDQ, CQO: rDX becomes the sign of rAX.
constexpr auto cwd = []<class T>(Cpu&, T& high, T low) {
  high = static_cast<T>(static_cast<std::make_signed_t<T>>(low) >> (8 * sizeof(T) - 1));
};

constexpr Row kRows[] = {
    row("88 /r", "mov", w(Eb), r(Gb), "      ", hot, mov),
    row("89 /r", "mov", w(Ev), r(Gv), "      ", hot, mov),
    row("8A /r", "mov", w(Gb), r(Eb), "      ", hot, mov),
    row("8B /r", "mov", w(Gv), r(Ev), "      ", hot, mov),
    row("A0 mo", "mov", w(AL), r(Ob), "      ", mov),
    row("A1 mo", "mov", w(rAX), r(Ov), "      ", mov),
    row("A2 mo", "mov", w(Ob), r(AL), "      ", mov),
    row("A3 mo", "mov", w(Ov), r(rAX), "      ", mov),
    row("B0+r ib", "mov", w(Zb), r(Ib), "      ", mov),
    row("B8+r iv", "mov", w(Zv), r(Iv), "      ", mov),
    row("C6 /0 ib", "mov", w(Eb), r(Ib), "      ", hot, mov),
    row("C7 /0 iz", "mov", w(Ev), r(Iz), "      ", hot, mov),

    row("0F B6 /r", "movzx", w(Gv), r(Eb), "      ", hot, mov),
    row("0F B7 /r", "movzx", w(Gv), r(Ew), "      ", hot, mov),
    row("0F BE /r", "movsx", w(Gv), r(Eb), "      ", movsx),
    row("0F BF /r", "movsx", w(Gv), r(Ew), "      ", movsx),
    row("63 /r", "movsxd", w(Gv), r(EdSigned), "      ", only64, hot, movsx),

    row("8D /r", "lea", w(Gv), r(M), "      ", hot, lea),
    row("86 /r", "xchg", rw(Eb), rw(Gb), "      ", lockable, always_locked, xchg),
    row("87 /r", "xchg", rw(Ev), rw(Gv), "      ", lockable, always_locked, xchg),
    row("90+r", "xchg", rw(Zv), rw(rAX), "      ", xchg),
    row("0F C8+r", "bswap", rw(Zv), "      ", bswap),
    row("D7", "xlat", rw(AL), "      ", xlat),
    row("98", "cbw", rw(rAX), "      ", cbw),
    row("99", "cwd", w(rDX), r(rAX), "      ", cwd),

    row("0F 40 /r", "cmovo", rw(Gv), r(Ev), "T     ", Feature::kCmov, hot, cmov<0>),
    row("0F 41 /r", "cmovno", rw(Gv), r(Ev), "T     ", Feature::kCmov, hot, cmov<1>),
    row("0F 42 /r", "cmovb", rw(Gv), r(Ev), "     T", Feature::kCmov, hot, cmov<2>),
    row("0F 43 /r", "cmovae", rw(Gv), r(Ev), "     T", Feature::kCmov, hot, cmov<3>),
    row("0F 44 /r", "cmove", rw(Gv), r(Ev), "  T   ", Feature::kCmov, hot, cmov<4>),
    row("0F 45 /r", "cmovne", rw(Gv), r(Ev), "  T   ", Feature::kCmov, hot, cmov<5>),
    row("0F 46 /r", "cmovbe", rw(Gv), r(Ev), "  T  T", Feature::kCmov, hot, cmov<6>),
    row("0F 47 /r", "cmova", rw(Gv), r(Ev), "  T  T", Feature::kCmov, hot, cmov<7>),
    row("0F 48 /r", "cmovs", rw(Gv), r(Ev), " T    ", Feature::kCmov, hot, cmov<8>),
    row("0F 49 /r", "cmovns", rw(Gv), r(Ev), " T    ", Feature::kCmov, hot, cmov<9>),
    row("0F 4A /r", "cmovp", rw(Gv), r(Ev), "    T ", Feature::kCmov, hot, cmov<10>),
    row("0F 4B /r", "cmovnp", rw(Gv), r(Ev), "    T ", Feature::kCmov, hot, cmov<11>),
    row("0F 4C /r", "cmovl", rw(Gv), r(Ev), "TT    ", Feature::kCmov, hot, cmov<12>),
    row("0F 4D /r", "cmovge", rw(Gv), r(Ev), "TT    ", Feature::kCmov, hot, cmov<13>),
    row("0F 4E /r", "cmovle", rw(Gv), r(Ev), "TTT   ", Feature::kCmov, hot, cmov<14>),
    row("0F 4F /r", "cmovg", rw(Gv), r(Ev), "TTT   ", Feature::kCmov, hot, cmov<15>),

    row("0F 90 /r", "seto", w(Eb), "T     ", setcc<0>),
    row("0F 91 /r", "setno", w(Eb), "T     ", setcc<1>),
    row("0F 92 /r", "setb", w(Eb), "     T", setcc<2>),
    row("0F 93 /r", "setae", w(Eb), "     T", setcc<3>),
    row("0F 94 /r", "sete", w(Eb), "  T   ", setcc<4>),
    row("0F 95 /r", "setne", w(Eb), "  T   ", setcc<5>),
    row("0F 96 /r", "setbe", w(Eb), "  T  T", setcc<6>),
    row("0F 97 /r", "seta", w(Eb), "  T  T", setcc<7>),
    row("0F 98 /r", "sets", w(Eb), " T    ", setcc<8>),
    row("0F 99 /r", "setns", w(Eb), " T    ", setcc<9>),
    row("0F 9A /r", "setp", w(Eb), "    T ", setcc<10>),
    row("0F 9B /r", "setnp", w(Eb), "    T ", setcc<11>),
    row("0F 9C /r", "setl", w(Eb), "TT    ", setcc<12>),
    row("0F 9D /r", "setge", w(Eb), "TT    ", setcc<13>),
    row("0F 9E /r", "setle", w(Eb), "TTT   ", setcc<14>),
    row("0F 9F /r", "setg", w(Eb), "TTT   ", setcc<15>),
};

}  // namespace

std::span<const Row> move_rows() { return kRows; }

}  // namespace kite::tcg
