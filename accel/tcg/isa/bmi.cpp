// BMI1 and BMI2: bit manipulation in general registers, most of it VEX-coded; ADX, two carry chains
// at a time; MOVBE.
#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

constexpr const char* kNone = "      ";
constexpr Feature kBmi1 = Feature::kBmi1, kBmi2 = Feature::kBmi2;

template <class T>
constexpr unsigned kBits = 8 * sizeof(T);

// --- BMI1
// ------------------------------------------------------------------------------------------
constexpr auto andn = []<class T>(Cpu& cpu, T& dst, T inverted, T src) {
  dst = static_cast<T>(~inverted & src);
  cpu.flags.result<T>(dst, false, false);
};

// The lowest `length` bits; all of them when there are no more.
template <class T>
constexpr T low_bits(T value, unsigned length) {
  return length >= kBits<T> ? value : static_cast<T>(value & ((T{1} << length) - 1));
}

constexpr auto bextr = []<class T>(Cpu& cpu, T& dst, T src, T control) {
  const unsigned start = control & 0xff, length = control >> 8 & 0xff;
  const T shifted = start >= kBits<T> ? T{0} : static_cast<T>(src >> start);
  dst = low_bits(shifted, length);
  cpu.flags.result<T>(dst, false, false);
};

constexpr auto blsi = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(src & (T{0} - src));
  cpu.flags.result<T>(dst, src != 0, false);
};
constexpr auto blsmsk = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(src ^ (src - 1));
  cpu.flags.result<T>(dst, src == 0, false);
};
constexpr auto blsr = []<class T>(Cpu& cpu, T& dst, T src) {
  dst = static_cast<T>(src & (src - 1));
  cpu.flags.result<T>(dst, src == 0, false);
};

// --- BMI2
// ------------------------------------------------------------------------------------------
constexpr auto bzhi = []<class T>(Cpu& cpu, T& dst, T src, T index) {
  const unsigned from = index & 0xff;
  dst = low_bits(src, from);
  cpu.flags.result<T>(dst, from >= kBits<T>, false);
};

// The destination operands are the upper and the lower half; where they are one register it gets
// the upper half, because the first operand is written last.
constexpr auto mulx = []<class T>(Cpu& cpu, T& high, T& low, T src) {
  using Wide = std::conditional_t<sizeof(T) == 8, u128, u64>;
  const Wide product = Wide{cpu.get<T>(kRdx * 8)} * src;
  high = static_cast<T>(product >> kBits<T>);
  low = static_cast<T>(product);
};

constexpr auto pdep = []<class T>(Cpu&, T& dst, T src, T mask) {
  T result = 0;
  for (; mask; mask &= static_cast<T>(mask - 1), src = static_cast<T>(src >> 1))
    if (src & 1) result |= static_cast<T>(mask & (T{0} - mask));
  dst = result;
};
constexpr auto pext = []<class T>(Cpu&, T& dst, T src, T mask) {
  T result = 0;
  for (T to = 1; mask; mask &= static_cast<T>(mask - 1), to = static_cast<T>(to << 1))
    if (src & mask & (T{0} - mask)) result |= to;
  dst = result;
};

constexpr auto rorx = []<class T>(Cpu&, T& dst, T src, u8 count) {
  dst = std::rotr(src, count & (kBits<T> - 1));
};
constexpr auto sarx = []<class T>(Cpu&, T& dst, T src, T count) {
  dst = static_cast<T>(static_cast<std::make_signed_t<T>>(src) >> (count & (kBits<T> - 1)));
};
constexpr auto shlx = []<class T>(Cpu&, T& dst, T src, T count) {
  dst = static_cast<T>(src << (count & (kBits<T> - 1)));
};
constexpr auto shrx = []<class T>(Cpu&, T& dst, T src, T count) {
  dst = static_cast<T>(src >> (count & (kBits<T> - 1)));
};

// --- ADX: only the one flag is read and written
// ----------------------------------------------------
template <class T>
bool add_with_carry(T& dst, T src, bool carry) {
  const T sum = static_cast<T>(dst + src);
  const T result = static_cast<T>(sum + carry);
  const bool out = sum < dst || result < sum;
  dst = result;
  return out;
}
constexpr auto adcx = []<class T>(Cpu& cpu, T& dst, T src) {
  cpu.flags.set_cf(add_with_carry(dst, src, cpu.flags.cf()));
};
constexpr auto adox = []<class T>(Cpu& cpu, T& dst, T src) {
  const bool carry = add_with_carry(dst, src, cpu.flags.of());
  cpu.flags.set_carry(cpu.flags.cf(), carry);
};

constexpr auto movbe = []<class T>(Cpu&, T& dst, T src) {
  if constexpr (sizeof(T) == 2)
    dst = __builtin_bswap16(src);
  else if constexpr (sizeof(T) == 4)
    dst = __builtin_bswap32(src);
  else
    dst = __builtin_bswap64(src);
};

constexpr Row kRows[] = {
    row("VEX.L0.NP.0F38 F2 /r", "andn", w(Gy), r(By), r(Ey), "0MM--0", kBmi1, andn),
    row("VEX.L0.NP.0F38 F3 /1", "blsr", w(By), r(Ey), "0MM--M", kBmi1, blsr),
    row("VEX.L0.NP.0F38 F3 /2", "blsmsk", w(By), r(Ey), "0M0--M", kBmi1, blsmsk),
    row("VEX.L0.NP.0F38 F3 /3", "blsi", w(By), r(Ey), "0MM--M", kBmi1, blsi),
    row("VEX.L0.NP.0F38 F7 /r", "bextr", w(Gy), r(Ey), r(By), "0-M--0", kBmi1, bextr),

    row("VEX.L0.NP.0F38 F5 /r", "bzhi", w(Gy), r(Ey), r(By), "0MM--M", kBmi2, bzhi),
    row("VEX.L0.F2.0F38 F5 /r", "pdep", w(Gy), r(By), r(Ey), kNone, kBmi2, pdep),
    row("VEX.L0.F3.0F38 F5 /r", "pext", w(Gy), r(By), r(Ey), kNone, kBmi2, pext),
    row("VEX.L0.F2.0F38 F6 /r", "mulx", w(Gy), w(By), r(Ey), kNone, kBmi2, mulx),
    row("VEX.L0.66.0F38 F7 /r", "shlx", w(Gy), r(Ey), r(By), kNone, kBmi2, shlx),
    row("VEX.L0.F3.0F38 F7 /r", "sarx", w(Gy), r(Ey), r(By), kNone, kBmi2, sarx),
    row("VEX.L0.F2.0F38 F7 /r", "shrx", w(Gy), r(Ey), r(By), kNone, kBmi2, shrx),
    row("VEX.L0.F2.0F3A F0 /r ib", "rorx", w(Gy), r(Ey), r(Ib), kNone, kBmi2, rorx),

    row("66 0F 38 F6 /r", "adcx", rw(Gy), r(Ey), "     B", Feature::kAdx, adcx),
    row("F3 0F 38 F6 /r", "adox", rw(Gy), r(Ey), "B     ", Feature::kAdx, adox),

    row("0F 38 F0 /r", "movbe", w(Gv), r(Mv), kNone, no_rep, Feature::kMovbe, movbe),
    row("0F 38 F1 /r", "movbe", w(Mv), r(Gv), kNone, no_rep, Feature::kMovbe, movbe),
};

}  // namespace

std::span<const Row> bmi_rows() {
  return kRows;
}

}  // namespace kite::tcg
