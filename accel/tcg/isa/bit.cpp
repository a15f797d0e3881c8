// Bit instructions: BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT; and the atomics CMPXCHG, XADD, CMPXCHG8B,
// CMPXCHG16B.
#include <optional>

#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

template <class T>
constexpr unsigned kMask = 8 * sizeof(T) - 1;

constexpr auto bt = []<class T>(Cpu& cpu, T value, T index) {
  cpu.flags.set_cf((value >> (index & kMask<T>)) & 1);
};
constexpr auto bts = []<class T>(Cpu& cpu, T& value, T index) {
  const T mask = static_cast<T>(T{1} << (index & kMask<T>));
  cpu.flags.set_cf(value & mask);
  value = static_cast<T>(value | mask);
};
constexpr auto btr = []<class T>(Cpu& cpu, T& value, T index) {
  const T mask = static_cast<T>(T{1} << (index & kMask<T>));
  cpu.flags.set_cf(value & mask);
  value = static_cast<T>(value & ~mask);
};
constexpr auto btc = []<class T>(Cpu& cpu, T& value, T index) {
  const T mask = static_cast<T>(T{1} << (index & kMask<T>));
  cpu.flags.set_cf(value & mask);
  value = static_cast<T>(value ^ mask);
};

// ZF says that the source is 0; then the destination keeps its value, as on every processor.
constexpr auto bsf = []<class T>(Cpu& cpu, T& dst, T src) {
  if (src) dst = static_cast<T>(std::countr_zero(src));
  cpu.flags.logic<T>(src);
};
constexpr auto bsr = []<class T>(Cpu& cpu, T& dst, T src) {
  if (src) dst = static_cast<T>(kMask<T> - static_cast<unsigned>(std::countl_zero(src)));
  cpu.flags.logic<T>(src);
};

// Without their feature the bytes mean BSF and BSR: F3h is ignored there (SDM 2B "LZCNT").
constexpr auto tzcnt = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(std::countr_zero(src));
  cpu.flags.result<T>(dst, src == 0, false);
};
constexpr auto lzcnt = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(std::countl_zero(src));
  cpu.flags.result<T>(dst, src == 0, false);
};

constexpr auto popcnt = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(std::popcount(src));
  cpu.flags.set(src == 0 ? kZf : 0);
};

constexpr auto cmpxchg = []<class T>(Cpu& cpu, T& dst, T& accumulator, T src) {
  const T before = dst;
  cpu.flags.sub<T>(accumulator, before, static_cast<T>(accumulator - before));
  if (accumulator == before)
    dst = src;
  else
    accumulator = before;
};

constexpr auto xadd = []<class T>(Cpu& cpu, T& dst, T& src) {
  const T before = dst;
  dst = static_cast<T>(before + src);
  cpu.flags.add<T>(before, src, dst);
  src = before;
};

// Atomic with LOCK or without, as nobody can tell.
template <class Pair>
void exchange_pair(u8* host, const Pair& expected, const Pair& wanted, Pair& found) {
  if constexpr (sizeof(Pair) <= kLargestGuestExchange) {
    found = expected;
    guest_compare_exchange<Pair>(host, found, wanted);
  }
}

// CMPXCHG8B and CMPXCHG16B: rDX:rAX against memory, rCX:rBX into it. Half is one register's part.
template <class Half>
Flow compare_pair(Cpu& cpu, const Insn& insn) {
  struct Pair {
    Half low, high;
    bool operator==(const Pair&) const = default;
  };
  u64 linear;
  if (!cpu.linear_address(insn, sizeof(Pair), Access::kWrite, linear)) return Flow::kFault;
  if (sizeof(Half) == 8 && linear % 16 != 0) return cpu.general_protection();
  const Pair expected{cpu.get<Half>(kRax * 8), cpu.get<Half>(kRdx * 8)};
  const Pair wanted{cpu.get<Half>(kRbx * 8), cpu.get<Half>(kRcx * 8)};
  Cpu::LockedPlace place;
  const bool stack = Cpu::is_stack(insn.segment);
  if (!cpu.locate_locked<Pair>(linear, place, stack)) return Flow::kFault;
  Pair found;
  if (place.way == Cpu::LockedPlace::Way::kExchange) {
    exchange_pair(place.host, expected, wanted, found);
    if (place.noted) cpu.locked_stored(place, linear, sizeof(Pair));
  } else {
    std::optional<ExclusiveSection> alone;
    if (place.way == Cpu::LockedPlace::Way::kExclusive) alone.emplace(cpu.processors.exclusive);
    if (!cpu.load_at(linear, found, stack) ||
        !cpu.store_at(linear, found == expected ? wanted : found, stack))
      return Flow::kFault;
  }
  const bool equal = found == expected;
  if (!equal) {
    cpu.put<Half>(kRax * 8, found.low);
    cpu.put<Half>(kRdx * 8, found.high);
  }
  cpu.flags.update(kZf, equal ? kZf : 0);
  return Flow::kNext;
}

constexpr auto cmpxchg8b = [](Cpu& cpu, const Insn& insn, u64) { return compare_pair<u32>(cpu, insn); };
constexpr auto cmpxchg16b = [](Cpu& cpu, const Insn& insn, u64) {
  return compare_pair<u64>(cpu, insn);
};

constexpr Row kRows[] = {
    row("0F A3 /r", "bt", r(EvBit), r(Gv), "-- --M", bt),
    row("0F AB /r", "bts", rw(EvBit), r(Gv), "-- --M", lockable, bts),
    row("0F B3 /r", "btr", rw(EvBit), r(Gv), "-- --M", lockable, btr),
    row("0F BB /r", "btc", rw(EvBit), r(Gv), "-- --M", lockable, btc),
    row("0F BA /4 ib", "bt", r(Ev), r(sIb), "-- --M", bt),
    row("0F BA /5 ib", "bts", rw(Ev), r(sIb), "-- --M", lockable, bts),
    row("0F BA /6 ib", "btr", rw(Ev), r(sIb), "-- --M", lockable, btr),
    row("0F BA /7 ib", "btc", rw(Ev), r(sIb), "-- --M", lockable, btc),
    row("0F BC /r", "bsf", rw(Gv), r(Ev), "--M---", bsf),
    row("0F BD /r", "bsr", rw(Gv), r(Ev), "--M---", bsr),
    row("F3 0F BC /r", "tzcnt", w(Gv), r(Ev), "--M--M", Feature::kBmi1, tzcnt),
    row("F3 0F BD /r", "lzcnt", w(Gv), r(Ev), "--M--M", Feature::kLzcnt, lzcnt),
    row("F3 0F B8 /r", "popcnt", w(Gv), r(Ev), "00M000", Feature::kPopcnt, popcnt),

    row("0F B0 /r", "cmpxchg", rw(Eb), rw(AccumulatorB), r(Gb), "MMMMMM", lockable, cmpxchg),
    row("0F B1 /r", "cmpxchg", rw(Ev), rw(AccumulatorV), r(Gv), "MMMMMM", lockable, cmpxchg),
    row("0F C0 /r", "xadd", rw(Eb), rw(Gb), "MMMMMM", lockable, xadd),
    row("0F C1 /r", "xadd", rw(Ev), rw(Gv), "MMMMMM", lockable, xadd),
    row("REX.W0 0F C7 /1", "cmpxchg8b", rw(MPair), "  M   ", lockable, cmpxchg8b),
    row("REX.W 0F C7 /1", "cmpxchg16b", rw(MPair), "  M   ", lockable, Feature::kCx16, cmpxchg16b),
};

}  // namespace

std::span<const Row> bit_rows() { return kRows; }

}  // namespace kite::tcg
