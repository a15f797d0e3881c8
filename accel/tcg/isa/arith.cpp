// ADD, ADC, SUB, SBB, CMP, INC, DEC, NEG.
#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

constexpr auto add = []<class T>(Cpu& cpu, T& dst, T src) {
  const T a = dst;
  dst = static_cast<T>(a + src);
  cpu.flags.add<T>(a, src, dst);
};

constexpr auto adc = []<class T>(Cpu& cpu, T& dst, T src) {
  const T a = dst;
  dst = static_cast<T>(a + src + cpu.flags.cf());
  cpu.flags.add<T>(a, src, dst);
};

constexpr auto sub = []<class T>(Cpu& cpu, T& dst, T src) {
  const T a = dst;
  dst = static_cast<T>(a - src);
  cpu.flags.sub<T>(a, src, dst);
};

constexpr auto sbb = []<class T>(Cpu& cpu, T& dst, T src) {
  const T a = dst;
  dst = static_cast<T>(a - src - cpu.flags.cf());
  cpu.flags.sub<T>(a, src, dst);
};

constexpr auto cmp = []<class T>(Cpu& cpu, T a, T b) {
  cpu.flags.sub<T>(a, b, static_cast<T>(a - b));
};

constexpr auto inc = []<class T>(Cpu& cpu, T& dst) {
  const T a = dst;
  dst = static_cast<T>(a + 1);
  cpu.flags.inc<T>(a, dst);
};

constexpr auto dec = []<class T>(Cpu& cpu, T& dst) {
  const T a = dst;
  dst = static_cast<T>(a - 1);
  cpu.flags.dec<T>(a, dst);
};

constexpr auto neg = []<class T>(Cpu& cpu, T& dst) {
  const T a = dst;
  dst = static_cast<T>(0 - a);
  cpu.flags.sub<T>(T{0}, a, dst);
};

constexpr Row kRows[] = {
    row("00 /r", "add", rw(Eb), r(Gb), "MMMMMM", lockable, add),
    row("01 /r", "add", rw(Ev), r(Gv), "MMMMMM", lockable, hot, add),
    row("02 /r", "add", rw(Gb), r(Eb), "MMMMMM", add),
    row("03 /r", "add", rw(Gv), r(Ev), "MMMMMM", hot, add),
    row("04 ib", "add", rw(AL), r(Ib), "MMMMMM", add),
    row("05 iz", "add", rw(rAX), r(Iz), "MMMMMM", add),
    row("80 /0 ib", "add", rw(Eb), r(Ib), "MMMMMM", lockable, add),
    row("82 /0 ib", "add", rw(Eb), r(Ib), "MMMMMM", lockable, not64, add),
    row("81 /0 iz", "add", rw(Ev), r(Iz), "MMMMMM", lockable, hot, add),
    row("83 /0 ib", "add", rw(Ev), r(sIb), "MMMMMM", lockable, hot, add),

    row("10 /r", "adc", rw(Eb), r(Gb), "MMMMMB", lockable, adc),
    row("11 /r", "adc", rw(Ev), r(Gv), "MMMMMB", lockable, adc),
    row("12 /r", "adc", rw(Gb), r(Eb), "MMMMMB", adc),
    row("13 /r", "adc", rw(Gv), r(Ev), "MMMMMB", adc),
    row("14 ib", "adc", rw(AL), r(Ib), "MMMMMB", adc),
    row("15 iz", "adc", rw(rAX), r(Iz), "MMMMMB", adc),
    row("80 /2 ib", "adc", rw(Eb), r(Ib), "MMMMMB", lockable, adc),
    row("82 /2 ib", "adc", rw(Eb), r(Ib), "MMMMMB", lockable, not64, adc),
    row("81 /2 iz", "adc", rw(Ev), r(Iz), "MMMMMB", lockable, adc),
    row("83 /2 ib", "adc", rw(Ev), r(sIb), "MMMMMB", lockable, adc),

    row("28 /r", "sub", rw(Eb), r(Gb), "MMMMMM", lockable, sub),
    row("29 /r", "sub", rw(Ev), r(Gv), "MMMMMM", lockable, hot, sub),
    row("2A /r", "sub", rw(Gb), r(Eb), "MMMMMM", sub),
    row("2B /r", "sub", rw(Gv), r(Ev), "MMMMMM", hot, sub),
    row("2C ib", "sub", rw(AL), r(Ib), "MMMMMM", sub),
    row("2D iz", "sub", rw(rAX), r(Iz), "MMMMMM", sub),
    row("80 /5 ib", "sub", rw(Eb), r(Ib), "MMMMMM", lockable, sub),
    row("82 /5 ib", "sub", rw(Eb), r(Ib), "MMMMMM", lockable, not64, sub),
    row("81 /5 iz", "sub", rw(Ev), r(Iz), "MMMMMM", lockable, hot, sub),
    row("83 /5 ib", "sub", rw(Ev), r(sIb), "MMMMMM", lockable, hot, sub),

    row("18 /r", "sbb", rw(Eb), r(Gb), "MMMMMB", lockable, sbb),
    row("19 /r", "sbb", rw(Ev), r(Gv), "MMMMMB", lockable, sbb),
    row("1A /r", "sbb", rw(Gb), r(Eb), "MMMMMB", sbb),
    row("1B /r", "sbb", rw(Gv), r(Ev), "MMMMMB", sbb),
    row("1C ib", "sbb", rw(AL), r(Ib), "MMMMMB", sbb),
    row("1D iz", "sbb", rw(rAX), r(Iz), "MMMMMB", sbb),
    row("80 /3 ib", "sbb", rw(Eb), r(Ib), "MMMMMB", lockable, sbb),
    row("82 /3 ib", "sbb", rw(Eb), r(Ib), "MMMMMB", lockable, not64, sbb),
    row("81 /3 iz", "sbb", rw(Ev), r(Iz), "MMMMMB", lockable, sbb),
    row("83 /3 ib", "sbb", rw(Ev), r(sIb), "MMMMMB", lockable, sbb),

    row("38 /r", "cmp", r(Eb), r(Gb), "MMMMMM", hot, cmp),
    row("39 /r", "cmp", r(Ev), r(Gv), "MMMMMM", hot, cmp),
    row("3A /r", "cmp", r(Gb), r(Eb), "MMMMMM", cmp),
    row("3B /r", "cmp", r(Gv), r(Ev), "MMMMMM", hot, cmp),
    row("3C ib", "cmp", r(AL), r(Ib), "MMMMMM", cmp),
    row("3D iz", "cmp", r(rAX), r(Iz), "MMMMMM", cmp),
    row("80 /7 ib", "cmp", r(Eb), r(Ib), "MMMMMM", hot, cmp),
    row("82 /7 ib", "cmp", r(Eb), r(Ib), "MMMMMM", not64, cmp),
    row("81 /7 iz", "cmp", r(Ev), r(Iz), "MMMMMM", hot, cmp),
    row("83 /7 ib", "cmp", r(Ev), r(sIb), "MMMMMM", hot, cmp),

    row("40+r", "inc", rw(Zv), "MMMMM ", not64, inc),
    row("FE /0", "inc", rw(Eb), "MMMMM ", lockable, inc),
    row("FF /0", "inc", rw(Ev), "MMMMM ", lockable, hot, inc),
    row("48+r", "dec", rw(Zv), "MMMMM ", not64, dec),
    row("FE /1", "dec", rw(Eb), "MMMMM ", lockable, dec),
    row("FF /1", "dec", rw(Ev), "MMMMM ", lockable, hot, dec),
    row("F6 /3", "neg", rw(Eb), "MMMMMM", lockable, neg),
    row("F7 /3", "neg", rw(Ev), "MMMMMM", lockable, neg),
};

}  // namespace

std::span<const Row> arith_rows() { return kRows; }

}  // namespace kite::tcg
