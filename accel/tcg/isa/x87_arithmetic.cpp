// x87 arithmetic, comparison and the transcendental instructions.
#include "accel/tcg/fpu/transcendental.h"
#include "accel/tcg/isa/x87.h"

namespace kite::tcg {
namespace {

using fpu::Control;
using fpu::Number;
using fpu::Order;
using fpu::Result;

constexpr auto add_ = [](const Control& c, const Number& a, const Number& b) {
  return add(c, a, b);
};
constexpr auto mul_ = [](const Control& c, const Number& a, const Number& b) {
  return multiply(c, a, b);
};
constexpr auto sub_ = [](const Control& c, const Number& a, const Number& b) {
  return subtract(c, a, b);
};
constexpr auto subr_ = [](const Control& c, const Number& a, const Number& b) {
  return subtract(c, b, a);
};
constexpr auto div_ = [](const Control& c, const Number& a, const Number& b) {
  return divide(c, a, b);
};
constexpr auto divr_ = [](const Control& c, const Number& a, const Number& b) {
  return divide(c, b, a);
};

// The second operand: a register's number, single or double bits, or an integer in memory.
Number source(const X87& x87, u8 i) {
  return x87.number(i);
}
Number source(const X87&, u32 bits) {
  return fpu::unpack_single(bits);
}
Number source(const X87&, u64 bits) {
  return fpu::unpack_double(bits);
}
template <class T>
bool is_empty(const X87& x87, T src) {
  if constexpr (sizeof(T) == 1) return x87.empty(src);
  return false;
}

template <class Operation>
void write_result(X87& x87, const Insn& insn, unsigned dst, bool pops, Operation operation) {
  const Result result = operation();
  if (!x87.report(insn, result.flags, result.rounded_up)) return;
  x87.set(dst, pack(result.value));
  if (pops) x87.pop();
}

void write_indefinite(X87& x87, const Insn& insn, unsigned dst, bool pops) {
  if (!x87.stack_underflow(insn)) return;
  x87.set(dst, fpu::kIndefinite80);
  if (pops) x87.pop();
}

template <auto kOperation, bool kPops = false>
constexpr auto arithmetic = [](Cpu& cpu, const Insn& insn, u8& dst, auto src) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  if (x87.empty(dst) || is_empty(x87, src))
    write_indefinite(x87, insn, dst, kPops);
  else
    write_result(x87, insn, dst, kPops,
                 [&] { return kOperation(x87.control(), x87.number(dst), source(x87, src)); });
  return Flow::kNext;
};
template <auto kOperation>
constexpr auto arithmetic_integer = [](Cpu& cpu, const Insn& insn, u8& dst, auto src) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  const auto value = static_cast<std::make_signed_t<decltype(src)>>(src);
  if (x87.empty(0))
    write_indefinite(x87, insn, dst, false);
  else
    write_result(x87, insn, dst, false, [&] {
      return kOperation(x87.control(), x87.number(0), fpu::from_integer(value));
    });
  return Flow::kNext;
};

// --- comparison
// ------------------------------------------------------------------------------------
struct Comparison {
  Order order = Order::kUnordered;
  bool valid = false;  // registers may be popped
};

Comparison compare_numbers(X87& x87, const Insn& insn, const Number& a, const Number& b,
                           bool quiet) {
  const Order order = compare(a, b);
  u8 flags = a.denormal || b.denormal ? fpu::kDenormal : 0;
  if (order == Order::kUnordered) {
    const bool both_quiet = (a.kind <= fpu::Kind::kQuietNan) && (b.kind <= fpu::Kind::kQuietNan);
    flags = quiet && both_quiet ? 0 : fpu::kInvalid;
  }
  return {order, x87.report(insn, flags, false)};
}

constexpr u16 kCompareCodes[] = {kC0, kC3, 0, kC0 | kC2 | kC3};

// FCOM and kin; `kPops` registers are popped when the codes have been set.
template <int kPops, bool kQuiet, bool kInteger, class T>
Flow compare_stack(Cpu& cpu, const Insn& insn, T src) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  Comparison comparison;
  if (x87.empty(0) || is_empty(x87, src)) {
    comparison.valid = x87.stack_underflow(insn);
  } else if constexpr (kInteger) {
    const Number b = fpu::from_integer(static_cast<std::make_signed_t<T>>(src));
    comparison = compare_numbers(x87, insn, x87.number(0), b, kQuiet);
  } else {
    comparison = compare_numbers(x87, insn, x87.number(0), source(x87, src), kQuiet);
  }
  // The codes are set even where an exception is not masked; only the stack then stays.
  x87.set_codes(kCompareCodes[static_cast<int>(comparison.order)], kC0 | kC2 | kC3);
  if (!comparison.valid) return Flow::kNext;
  for (int i = 0; i < kPops; ++i) x87.pop();
  return Flow::kNext;
}
template <int kPops, bool kQuiet = false, bool kInteger = false>
constexpr auto fcom = [](Cpu& cpu, const Insn& insn, u8, auto src) {
  return compare_stack<kPops, kQuiet, kInteger>(cpu, insn, src);
};

template <bool kPops, bool kQuiet>
constexpr auto fcomi = [](Cpu& cpu, const Insn& insn, u8, u8 src) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  const u16 c1 = cpu.fpu.fsw & kC1;
  Comparison comparison;
  if (x87.empty(0) || x87.empty(src))
    comparison.valid = x87.stack_underflow(insn);
  else
    comparison = compare_numbers(x87, insn, x87.number(0), x87.number(src), kQuiet);
  // Processors leave C1 alone, but for a stack fault (the manual says 0).
  if (!x87.empty(0) && !x87.empty(src)) x87.set_codes(c1, kC1);
  // The flags are set even where an exception is not masked; only the stack then stays.
  constexpr u32 kFlagsOf[] = {kCf, kZf, 0, kZf | kPf | kCf};
  cpu.flags.set(kFlagsOf[static_cast<int>(comparison.order)]);
  if (kPops && comparison.valid) x87.pop();
  return Flow::kNext;
};

template <bool kQuiet>
constexpr auto compare_and_pop_both =
    [](Cpu& cpu, const Insn& insn) { return compare_stack<2, kQuiet, false>(cpu, insn, u8{1}); };

constexpr auto ftst = [](Cpu& cpu, const Insn& insn) {
  return compare_stack<0, false, false>(cpu, insn, u64{0});
};

constexpr auto fxam = [](Cpu& cpu, const Insn& insn) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  constexpr u16 kCodes[] = {0, kC0, kC2, kC2 | kC0, kC3, kC3 | kC2};
  const fpu::Float80 value = x87.get(0);
  const u16 codes = x87.empty(0) ? u16{kC3 | kC0} : kCodes[static_cast<int>(fpu::classify(value))];
  x87.set_codes(static_cast<u16>(codes | (value.sign_exponent >> 15 ? kC1 : 0)));
  return Flow::kNext;
};

// --- one operand, in place
// ---------------------------------------------------------------------------
template <auto kOperation>
constexpr auto unary = [](Cpu& cpu, const Insn& insn) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  if (x87.empty(0))
    write_indefinite(x87, insn, 0, false);
  else
    write_result(x87, insn, 0, false, [&] { return kOperation(x87.control(), x87.number(0)); });
  return Flow::kNext;
};
constexpr auto sqrt_ = [](const Control& c, const Number& a) { return square_root(c, a); };
constexpr auto round_ = [](const Control& c, const Number& a) { return round_to_integral(c, a); };
constexpr auto exp2_ = [](const Control& c, const Number& a) { return exp2_minus_1(c, a); };

// FCHS, FABS: the sign bit of anything.
template <bool kToggle>
constexpr auto change_sign = [](Cpu& cpu, const Insn& insn) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  if (x87.empty(0)) return write_indefinite(x87, insn, 0, false), Flow::kNext;
  fpu::Float80 value = x87.get(0);
  value.sign_exponent =
      static_cast<u16>(kToggle ? value.sign_exponent ^ 0x8000 : value.sign_exponent & 0x7fff);
  x87.set_codes(0, kC1);
  x87.set(0, value);
  return Flow::kNext;
};

// --- ST(0) and ST(1)
// --------------------------------------------------------------------------------- Result to
// ST(kDst), then popped if that is ST(1).
template <unsigned kDst, auto kOperation>
constexpr auto binary = [](Cpu& cpu, const Insn& insn) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  if (x87.empty(0) || x87.empty(1))
    write_indefinite(x87, insn, kDst, kDst == 1);
  else
    write_result(x87, insn, kDst, kDst == 1,
                 [&] { return kOperation(x87.control(), x87.number(0), x87.number(1)); });
  return Flow::kNext;
};
constexpr auto scale_ = [](const Control& c, const Number& a, const Number& b) {
  return scale(c, a, b);
};
constexpr auto arctangent_ = [](const Control& c, const Number& x, const Number& y) {
  return arctangent(c, y, x);
};
constexpr auto log_ = [](const Control& c, const Number& x, const Number& y) {
  return y_log2_x(c, y, x);
};
constexpr auto log_plus_1_ = [](const Control& c, const Number& x, const Number& y) {
  return y_log2_x_plus_1(c, y, x);
};

template <auto kRemainder>
constexpr auto remainder_ = [](Cpu& cpu, const Insn& insn) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  x87.set_codes(0, kC2);
  if (x87.empty(0) || x87.empty(1)) return write_indefinite(x87, insn, 0, false), Flow::kNext;
  const fpu::RemainderResult r = kRemainder(x87.control(), x87.number(0), x87.number(1));
  if (!x87.report(insn, r.result.flags, false)) return Flow::kNext;
  x87.set(0, pack(r.result.value));
  if (r.result.value.nan()) return Flow::kNext;  // there is no quotient: C0 and C3 stay
  x87.set_codes(static_cast<u16>((r.partial ? kC2 : 0) | (r.quotient & 4 ? kC0 : 0) |
                                 (r.quotient & 2 ? kC3 : 0) | (r.quotient & 1 ? kC1 : 0)));
  return Flow::kNext;
};
constexpr auto truncated = [](const Control& c, const Number& a, const Number& b) {
  return remainder_truncated(c, a, b);
};
constexpr auto nearest = [](const Control& c, const Number& a, const Number& b) {
  return remainder_nearest(c, a, b);
};

// --- two results: ST(0) replaced, then a push
// --------------------------------------------------------
struct Pair {
  Result first;
  Number second;
  bool out_of_range = false;
};

template <auto kOperation, bool kClearsC2 = true>
constexpr auto two_results = [](Cpu& cpu, const Insn& insn) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  if (kClearsC2) x87.set_codes(0, kC2);
  const bool underflow = x87.empty(0), overflow = !x87.empty(7);
  if (underflow || overflow) {
    if (underflow ? x87.stack_underflow(insn) : x87.stack_overflow(insn)) {
      x87.set(0, fpu::kIndefinite80);
      x87.push(fpu::kIndefinite80);
    }
    return Flow::kNext;
  }
  const Pair pair = kOperation(x87.control(), x87.number(0));
  if (pair.out_of_range) return x87.set_codes(kC2, kC1 | kC2), Flow::kNext;
  if (!x87.report(insn, pair.first.flags, pair.first.rounded_up)) return Flow::kNext;
  x87.set(0, pack(pair.first.value));
  x87.push(pack(pair.second));
  return Flow::kNext;
};
constexpr auto sine_and_cosine = [](const Control& c, const Number& a) {
  auto first = fpu::sine(c, a);
  const auto second = fpu::cosine(c, a);
  first.result.flags |= second.result.flags;
  return Pair{first.result, second.result.value, first.out_of_range};
};
constexpr auto tangent_and_one = [](const Control& c, const Number& a) {
  const auto tangent = fpu::tangent(c, a);
  const bool nan = tangent.result.value.nan();
  return Pair{tangent.result, nan ? tangent.result.value : fpu::one(), tangent.out_of_range};
};
constexpr auto exponent_and_significand = [](const Control& c, const Number& a) {
  const fpu::ExtractResult r = extract(c, a);
  return Pair{{r.exponent, r.flags, false}, r.significand, false};
};

// FSIN, FCOS: C2 and nothing else when the operand is too large.
template <auto kFunction>
constexpr auto trigonometric = [](Cpu& cpu, const Insn& insn) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  x87.set_codes(0, kC2);
  if (x87.empty(0)) return write_indefinite(x87, insn, 0, false), Flow::kNext;
  const fpu::TrigonometricResult r = kFunction(x87.control(), x87.number(0));
  if (r.out_of_range) return x87.set_codes(kC2, kC1 | kC2), Flow::kNext;
  if (x87.report(insn, r.result.flags, r.result.rounded_up)) x87.set(0, pack(r.result.value));
  return Flow::kNext;
};
constexpr auto sine_ = [](const Control& c, const Number& a) { return fpu::sine(c, a); };
constexpr auto cosine_ = [](const Control& c, const Number& a) { return fpu::cosine(c, a); };

constexpr const char* kNone = "      ";

constexpr Row kRows[] = {
    row("D8 /0", "fadd", rw(ST0), r(PendingMd), kNone, x87, arithmetic<add_>),
    row("DC /0", "fadd", rw(ST0), r(PendingMq), kNone, x87, arithmetic<add_>),
    row("DA /0", "fiadd", rw(ST0), r(PendingMd), kNone, x87, arithmetic_integer<add_>),
    row("DE /0", "fiadd", rw(ST0), r(PendingMw), kNone, x87, arithmetic_integer<add_>),
    row("D8 C0+i", "fadd", rw(ST0), r(STi), kNone, x87, arithmetic<add_>),
    row("DC C0+i", "fadd", rw(STi), r(ST0), kNone, x87, arithmetic<add_>),
    row("DE C0+i", "faddp", rw(STi), r(ST0), kNone, x87, arithmetic<add_, true>),
    row("D8 /1", "fmul", rw(ST0), r(PendingMd), kNone, x87, arithmetic<mul_>),
    row("DC /1", "fmul", rw(ST0), r(PendingMq), kNone, x87, arithmetic<mul_>),
    row("DA /1", "fimul", rw(ST0), r(PendingMd), kNone, x87, arithmetic_integer<mul_>),
    row("DE /1", "fimul", rw(ST0), r(PendingMw), kNone, x87, arithmetic_integer<mul_>),
    row("D8 C8+i", "fmul", rw(ST0), r(STi), kNone, x87, arithmetic<mul_>),
    row("DC C8+i", "fmul", rw(STi), r(ST0), kNone, x87, arithmetic<mul_>),
    row("DE C8+i", "fmulp", rw(STi), r(ST0), kNone, x87, arithmetic<mul_, true>),
    row("D8 /2", "fcom", r(ST0), r(PendingMd), kNone, x87, fcom<0>),
    row("DC /2", "fcom", r(ST0), r(PendingMq), kNone, x87, fcom<0>),
    row("DA /2", "ficom", r(ST0), r(PendingMd), kNone, x87, fcom<0, false, true>),
    row("DE /2", "ficom", r(ST0), r(PendingMw), kNone, x87, fcom<0, false, true>),
    row("D8 D0+i", "fcom", r(ST0), r(STi), kNone, x87, fcom<0>),
    row("D8 /3", "fcomp", r(ST0), r(PendingMd), kNone, x87, fcom<1>),
    row("DC /3", "fcomp", r(ST0), r(PendingMq), kNone, x87, fcom<1>),
    row("DA /3", "ficomp", r(ST0), r(PendingMd), kNone, x87, fcom<1, false, true>),
    row("DE /3", "ficomp", r(ST0), r(PendingMw), kNone, x87, fcom<1, false, true>),
    row("D8 D8+i", "fcomp", r(ST0), r(STi), kNone, x87, fcom<1>),
    row("D8 /4", "fsub", rw(ST0), r(PendingMd), kNone, x87, arithmetic<sub_>),
    row("DC /4", "fsub", rw(ST0), r(PendingMq), kNone, x87, arithmetic<sub_>),
    row("DA /4", "fisub", rw(ST0), r(PendingMd), kNone, x87, arithmetic_integer<sub_>),
    row("DE /4", "fisub", rw(ST0), r(PendingMw), kNone, x87, arithmetic_integer<sub_>),
    row("D8 E0+i", "fsub", rw(ST0), r(STi), kNone, x87, arithmetic<sub_>),
    row("DC E8+i", "fsub", rw(STi), r(ST0), kNone, x87, arithmetic<sub_>),
    row("DE E8+i", "fsubp", rw(STi), r(ST0), kNone, x87, arithmetic<sub_, true>),
    row("D8 /5", "fsubr", rw(ST0), r(PendingMd), kNone, x87, arithmetic<subr_>),
    row("DC /5", "fsubr", rw(ST0), r(PendingMq), kNone, x87, arithmetic<subr_>),
    row("DA /5", "fisubr", rw(ST0), r(PendingMd), kNone, x87, arithmetic_integer<subr_>),
    row("DE /5", "fisubr", rw(ST0), r(PendingMw), kNone, x87, arithmetic_integer<subr_>),
    row("D8 E8+i", "fsubr", rw(ST0), r(STi), kNone, x87, arithmetic<subr_>),
    row("DC E0+i", "fsubr", rw(STi), r(ST0), kNone, x87, arithmetic<subr_>),
    row("DE E0+i", "fsubrp", rw(STi), r(ST0), kNone, x87, arithmetic<subr_, true>),
    row("D8 /6", "fdiv", rw(ST0), r(PendingMd), kNone, x87, arithmetic<div_>),
    row("DC /6", "fdiv", rw(ST0), r(PendingMq), kNone, x87, arithmetic<div_>),
    row("DA /6", "fidiv", rw(ST0), r(PendingMd), kNone, x87, arithmetic_integer<div_>),
    row("DE /6", "fidiv", rw(ST0), r(PendingMw), kNone, x87, arithmetic_integer<div_>),
    row("D8 F0+i", "fdiv", rw(ST0), r(STi), kNone, x87, arithmetic<div_>),
    row("DC F8+i", "fdiv", rw(STi), r(ST0), kNone, x87, arithmetic<div_>),
    row("DE F8+i", "fdivp", rw(STi), r(ST0), kNone, x87, arithmetic<div_, true>),
    row("D8 /7", "fdivr", rw(ST0), r(PendingMd), kNone, x87, arithmetic<divr_>),
    row("DC /7", "fdivr", rw(ST0), r(PendingMq), kNone, x87, arithmetic<divr_>),
    row("DA /7", "fidivr", rw(ST0), r(PendingMd), kNone, x87, arithmetic_integer<divr_>),
    row("DE /7", "fidivr", rw(ST0), r(PendingMw), kNone, x87, arithmetic_integer<divr_>),
    row("D8 F8+i", "fdivr", rw(ST0), r(STi), kNone, x87, arithmetic<divr_>),
    row("DC F0+i", "fdivr", rw(STi), r(ST0), kNone, x87, arithmetic<divr_>),
    row("DE F0+i", "fdivrp", rw(STi), r(ST0), kNone, x87, arithmetic<divr_, true>),

    row("DA E9", "fucompp", kNone, x87, compare_and_pop_both<true>),
    row("DE D9", "fcompp", kNone, x87, compare_and_pop_both<false>),
    row("DD E0+i", "fucom", r(ST0), r(STi), kNone, x87, fcom<0, true>),
    row("DD E8+i", "fucomp", r(ST0), r(STi), kNone, x87, fcom<1, true>),
    row("DB F0+i", "fcomi", r(ST0), r(STi), "00M0MM", x87, fcomi<false, false>),
    row("DF F0+i", "fcompi", r(ST0), r(STi), "00M0MM", x87, fcomi<true, false>),
    row("DB E8+i", "fucomi", r(ST0), r(STi), "00M0MM", x87, fcomi<false, true>),
    row("DF E8+i", "fucompi", r(ST0), r(STi), "00M0MM", x87, fcomi<true, true>),

    row("D9 E0", "fchs", kNone, x87, change_sign<true>),
    row("D9 E1", "fabs", kNone, x87, change_sign<false>),
    row("D9 E4", "ftst", kNone, x87, ftst),
    row("D9 E5", "fxam", kNone, x87, fxam),
    row("D9 F0", "f2xm1", kNone, x87, unary<exp2_>),
    row("D9 F1", "fyl2x", kNone, x87, binary<1, log_>),
    row("D9 F2", "fptan", kNone, x87, two_results<tangent_and_one>),
    row("D9 F3", "fpatan", kNone, x87, binary<1, arctangent_>),
    row("D9 F4", "fxtract", kNone, x87, two_results<exponent_and_significand, false>),
    row("D9 F5", "fprem1", kNone, x87, remainder_<nearest>),
    row("D9 F8", "fprem", kNone, x87, remainder_<truncated>),
    row("D9 F9", "fyl2xp1", kNone, x87, binary<1, log_plus_1_>),
    row("D9 FA", "fsqrt", kNone, x87, unary<sqrt_>),
    row("D9 FB", "fsincos", kNone, x87, two_results<sine_and_cosine>),
    row("D9 FC", "frndint", kNone, x87, unary<round_>),
    row("D9 FD", "fscale", kNone, x87, binary<0, scale_>),
    row("D9 FE", "fsin", kNone, x87, trigonometric<sine_>),
    row("D9 FF", "fcos", kNone, x87, trigonometric<cosine_>),
};

}  // namespace

std::span<const Row> x87_arithmetic_rows() {
  return kRows;
}

}  // namespace kite::tcg
