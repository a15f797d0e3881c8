// AND, OR, XOR, TEST, NOT.
#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

constexpr auto and_ = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(dst & src);
  cpu.flags.logic<T>(dst);
};

constexpr auto or_ = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(dst | src);
  cpu.flags.logic<T>(dst);
};

constexpr auto xor_ = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(dst ^ src);
  cpu.flags.logic<T>(dst);
};

constexpr auto test = []<class T>(Cpu& cpu, T a, T b) { cpu.flags.logic<T>(static_cast<T>(a & b)); };

constexpr auto not_ = []<class T>(Cpu&, T& dst) { dst = static_cast<T>(~dst); };

constexpr Row kRows[] = {
    row("20 /r", "and", rw(Eb), r(Gb), "0MM-M0", lockable, and_),
    row("21 /r", "and", rw(Ev), r(Gv), "0MM-M0", lockable, hot, and_),
    row("22 /r", "and", rw(Gb), r(Eb), "0MM-M0", and_),
    row("23 /r", "and", rw(Gv), r(Ev), "0MM-M0", hot, and_),
    row("24 ib", "and", rw(AL), r(Ib), "0MM-M0", and_),
    row("25 iz", "and", rw(rAX), r(Iz), "0MM-M0", and_),
    row("80 /4 ib", "and", rw(Eb), r(Ib), "0MM-M0", lockable, and_),
    row("82 /4 ib", "and", rw(Eb), r(Ib), "0MM-M0", lockable, not64, and_),
    row("81 /4 iz", "and", rw(Ev), r(Iz), "0MM-M0", lockable, hot, and_),
    row("83 /4 ib", "and", rw(Ev), r(sIb), "0MM-M0", lockable, hot, and_),

    row("08 /r", "or", rw(Eb), r(Gb), "0MM-M0", lockable, or_),
    row("09 /r", "or", rw(Ev), r(Gv), "0MM-M0", lockable, hot, or_),
    row("0A /r", "or", rw(Gb), r(Eb), "0MM-M0", or_),
    row("0B /r", "or", rw(Gv), r(Ev), "0MM-M0", hot, or_),
    row("0C ib", "or", rw(AL), r(Ib), "0MM-M0", or_),
    row("0D iz", "or", rw(rAX), r(Iz), "0MM-M0", or_),
    row("80 /1 ib", "or", rw(Eb), r(Ib), "0MM-M0", lockable, or_),
    row("82 /1 ib", "or", rw(Eb), r(Ib), "0MM-M0", lockable, not64, or_),
    row("81 /1 iz", "or", rw(Ev), r(Iz), "0MM-M0", lockable, or_),
    row("83 /1 ib", "or", rw(Ev), r(sIb), "0MM-M0", lockable, or_),

    row("30 /r", "xor", rw(Eb), r(Gb), "0MM-M0", lockable, xor_),
    row("31 /r", "xor", rw(Ev), r(Gv), "0MM-M0", lockable, hot, xor_),
    row("32 /r", "xor", rw(Gb), r(Eb), "0MM-M0", xor_),
    row("33 /r", "xor", rw(Gv), r(Ev), "0MM-M0", hot, xor_),
    row("34 ib", "xor", rw(AL), r(Ib), "0MM-M0", xor_),
    row("35 iz", "xor", rw(rAX), r(Iz), "0MM-M0", xor_),
    row("80 /6 ib", "xor", rw(Eb), r(Ib), "0MM-M0", lockable, xor_),
    row("82 /6 ib", "xor", rw(Eb), r(Ib), "0MM-M0", lockable, not64, xor_),
    row("81 /6 iz", "xor", rw(Ev), r(Iz), "0MM-M0", lockable, xor_),
    row("83 /6 ib", "xor", rw(Ev), r(sIb), "0MM-M0", lockable, xor_),

    row("84 /r", "test", r(Eb), r(Gb), "0MM-M0", hot, test),
    row("85 /r", "test", r(Ev), r(Gv), "0MM-M0", hot, test),
    row("A8 ib", "test", r(AL), r(Ib), "0MM-M0", test),
    row("A9 iz", "test", r(rAX), r(Iz), "0MM-M0", test),
    row("F6 /0 ib", "test", r(Eb), r(Ib), "0MM-M0", hot, test),
    row("F6 /1 ib", "test", r(Eb), r(Ib), "0MM-M0", test),
    row("F7 /0 iz", "test", r(Ev), r(Iz), "0MM-M0", hot, test),
    row("F7 /1 iz", "test", r(Ev), r(Iz), "0MM-M0", test),

    row("F6 /2", "not", rw(Eb), "      ", lockable, not_),
    row("F7 /2", "not", rw(Ev), "      ", lockable, not_),
};

}  // namespace

std::span<const Row> logic_rows() { return kRows; }

}  // namespace kite::tcg
