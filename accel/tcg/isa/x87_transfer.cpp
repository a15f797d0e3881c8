// x87 loads, stores, constants and moves between stack registers.
#include "accel/tcg/fpu/sse_float.h"
#include "accel/tcg/isa/x87.h"

namespace kite::tcg {
namespace {

using fpu::Float80;
using fpu::Number;

constexpr const char* kNone = "      ";

// --- loads
// -----------------------------------------------------------------------------------------
template <class Value>
Flow load_value(Cpu& cpu, const Insn& insn, Value value) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  x87.push_checked(insn, value(x87));
  return Flow::kNext;
}

// FLD of single and double: a stack fault comes before the operand's own exceptions.
constexpr auto fld = [](Cpu& cpu, const Insn& insn, auto src) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  if (!x87.empty(7)) return x87.push_checked(insn, {}), Flow::kNext;
  Number number;
  if constexpr (sizeof src == 4)
    number = fpu::unpack_single(src);
  else
    number = fpu::unpack_double(src);
  const fpu::Result result = convert({}, number);
  const bool writes = x87.report(insn, result.flags, false);
  // An unmasked denormal operand is loaded all the same (SDM 1 8.5.2).
  if (writes || !(result.flags & fpu::kInvalid)) x87.push(pack(result.value));
  return Flow::kNext;
};
constexpr auto fld_extended = [](Cpu& cpu, const Insn& insn, const TenBytes& src) {
  return load_value(cpu, insn, [&](X87&) {
    return Float80{load<u64>(src.data()), load<u16>(src.data() + 8)};
  });
};
constexpr auto fild = [](Cpu& cpu, const Insn& insn, auto src) {
  return load_value(cpu, insn, [&](X87&) {
    return pack(fpu::from_integer(static_cast<std::make_signed_t<decltype(src)>>(src)));
  });
};
constexpr auto fbld = [](Cpu& cpu, const Insn& insn, const TenBytes& src) {
  return load_value(cpu, insn, [&](X87&) {
    return pack(fpu::from_bcd({load<u64>(src.data()), load<u16>(src.data() + 8)}));
  });
};
template <unsigned kIndex>
constexpr auto fld_constant = [](Cpu& cpu, const Insn& insn) {
  return load_value(cpu, insn,
                    [&](X87& x87) { return fpu::constant(x87.control().rounding, kIndex); });
};
constexpr auto fld_register = [](Cpu& cpu, const Insn& insn, u8 src) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  if (!x87.empty(src)) return x87.push_checked(insn, x87.get(src)), Flow::kNext;
  if (x87.stack_underflow(insn)) x87.push(fpu::kIndefinite80);
  return Flow::kNext;
};

// --- stores: memory first, so that a page fault finds everything as it was
// -------------------------
struct Stored {
  u8 flags = 0;
  bool rounded_up = false;
};

// Stores what `convert` makes of ST(0), or `indefinite` of an empty one, then notes the exceptions
// and pops. `blocking`: the exceptions that, unmasked, keep memory as it is.
template <bool kPops, class T, class Convert>
Flow store_value(Cpu& cpu, const Insn& insn, const T& indefinite, Convert convert) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  T value = indefinite;
  const bool empty = x87.empty(0);
  const Stored stored = empty ? Stored{fpu::kInvalid, false} : convert(x87, value);
  constexpr u8 kBlocking = fpu::kInvalid | fpu::kOverflow | fpu::kUnderflow;
  const bool writes = x87.masked(stored.flags & kBlocking);
  if (writes && !store_bytes(cpu, insn, value, false)) return Flow::kFault;
  if (empty)
    x87.stack_underflow(insn);
  else if (writes)
    x87.report(insn, stored.flags, stored.rounded_up);
  else  // nothing was rounded: neither the precision exception nor C1
    x87.report(insn, stored.flags & kBlocking, false);
  if (kPops && writes) x87.pop();
  return Flow::kNext;
}

template <class Bits, bool kPops>
constexpr auto fst = [](Cpu& cpu, const Insn& insn, u8) {
  constexpr Bits kIndefinite = fpu::LaneTraits<Bits>::indefinite;
  return store_value<kPops>(cpu, insn, kIndefinite, [](X87& x87, Bits& value) {
    fpu::Control control = x87.control();
    control.format = fpu::LaneTraits<Bits>::format;
    Number number = x87.number(0);
    number.denormal = false;  // FST does not raise it (SDM 2A FST)
    const fpu::Result result = convert(control, number);
    if constexpr (sizeof(Bits) == 4)
      value = pack_single(result.value);
    else
      value = pack_double(result.value);
    return Stored{result.flags, result.rounded_up};
  });
};
TenBytes ten_bytes(u64 low, u16 high) {
  TenBytes bytes;
  store<u64>(bytes.data(), low);
  store<u16>(bytes.data() + 8, high);
  return bytes;
}
const TenBytes kIndefiniteTen = ten_bytes(u64{3} << 62, 0xffff);  // also the packed BCD's

constexpr auto fstp_extended = [](Cpu& cpu, const Insn& insn, u8) {
  return store_value<true>(cpu, insn, kIndefiniteTen, [](X87& x87, TenBytes& value) {
    const Float80 number = x87.get(0);
    value = ten_bytes(number.significand, number.sign_exponent);
    return Stored{};
  });
};
constexpr auto fbstp = [](Cpu& cpu, const Insn& insn, u8) {
  return store_value<true>(cpu, insn, kIndefiniteTen, [](X87& x87, TenBytes& value) {
    const fpu::BcdResult result = fpu::to_bcd(x87.control().rounding, x87.number(0));
    value = ten_bytes(result.value.low, result.value.high);
    return Stored{result.flags, result.rounded_up};
  });
};
template <class T, bool kPops, bool kTruncate = false>
constexpr auto fist = [](Cpu& cpu, const Insn& insn, u8) {
  constexpr T kIndefinite = static_cast<T>(T{1} << (8 * sizeof(T) - 1));
  return store_value<kPops>(cpu, insn, kIndefinite, [](X87& x87, T& value) {
    const fpu::Rounding rounding = kTruncate ? fpu::Rounding::kZero : x87.control().rounding;
    const auto result = fpu::to_integer(rounding, x87.number(0), 8 * sizeof(T));
    value = static_cast<T>(result.value);
    return Stored{result.flags, result.rounded_up};
  });
};

// --- between registers ---------------------------------------------------------------------------
template <bool kPops>
constexpr auto fst_register = [](Cpu& cpu, const Insn& insn, u8 dst) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  if (x87.empty(0)) {
    if (!x87.stack_underflow(insn)) return Flow::kNext;
    x87.set(dst, fpu::kIndefinite80);
  } else {
    x87.set_codes(0, kC1);
    x87.set(dst, x87.get(0));
  }
  if (kPops) x87.pop();
  return Flow::kNext;
};
constexpr auto fxch = [](Cpu& cpu, const Insn& insn, u8 other) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  const bool empty0 = x87.empty(0), empty1 = x87.empty(other);
  if (empty0 || empty1) {
    if (!x87.stack_underflow(insn)) return Flow::kNext;
    if (empty0) x87.set(0, fpu::kIndefinite80);
    if (empty1) x87.set(other, fpu::kIndefinite80);
  } else {
    x87.set_codes(0, kC1);
  }
  const Float80 a = x87.get(0), b = x87.get(other);
  x87.set(0, b);
  x87.set(other, a);
  return Flow::kNext;
};
// FCMOVcc: CF, ZF, CF or ZF, PF; or their opposites.
template <u32 kMask, bool kWanted>
constexpr auto fcmov = [](Cpu& cpu, const Insn& insn, u8, u8 src) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  const bool move = ((cpu.flags.get() & kMask) != 0) == kWanted;
  if (x87.empty(0) || x87.empty(src)) {
    // Even where the condition does not hold.
    if (x87.stack_underflow(insn)) x87.set(0, fpu::kIndefinite80);
  } else if (move) {
    x87.set(0, x87.get(src));
  }
  return Flow::kNext;
};
template <int kStep>
constexpr auto turn = [](Cpu& cpu, const Insn& insn) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  x87.set_codes(0, kC1);
  x87.set_top(x87.top() + kStep);
  return Flow::kNext;
};
template <bool kPops>
constexpr auto ffree = [](Cpu& cpu, const Insn& insn, u8 i) {
  X87 x87(cpu);
  if (!x87.begin(insn)) return Flow::kFault;
  x87.set_codes(0, kC1);
  x87.free(i);
  if (kPops) x87.pop();
  return Flow::kNext;
};
constexpr auto fnop = [](Cpu& cpu, const Insn& insn) {
  return X87(cpu).begin(insn) ? Flow::kNext : Flow::kFault;
};

constexpr Row kRows[] = {
    row("D9 /0", "fld", r(PendingMd), kNone, x87, fld),
    row("DD /0", "fld", r(PendingMq), kNone, x87, fld),
    row("DB /5", "fld", r(PendingMt), kNone, x87, fld_extended),
    row("D9 C0+i", "fld", r(STi), kNone, x87, fld_register),
    row("DF /0", "fild", r(PendingMw), kNone, x87, fild),
    row("DB /0", "fild", r(PendingMd), kNone, x87, fild),
    row("DF /5", "fild", r(PendingMq), kNone, x87, fild),
    row("DF /4", "fbld", r(PendingMt), kNone, x87, fbld),
    row("D9 E8", "fld1", kNone, x87, fld_constant<0>),
    row("D9 E9", "fldl2t", kNone, x87, fld_constant<1>),
    row("D9 EA", "fldl2e", kNone, x87, fld_constant<2>),
    row("D9 EB", "fldpi", kNone, x87, fld_constant<3>),
    row("D9 EC", "fldlg2", kNone, x87, fld_constant<4>),
    row("D9 ED", "fldln2", kNone, x87, fld_constant<5>),
    row("D9 EE", "fldz", kNone, x87, fld_constant<6>),

    row("D9 /2", "fst", w(ToMd), kNone, x87, fst<u32, false>),
    row("D9 /3", "fstp", w(ToMd), kNone, x87, fst<u32, true>),
    row("DD /2", "fst", w(ToMq), kNone, x87, fst<u64, false>),
    row("DD /3", "fstp", w(ToMq), kNone, x87, fst<u64, true>),
    row("DB /7", "fstp", w(ToMt), kNone, x87, fstp_extended),
    row("DD D0+i", "fst", w(STi), kNone, x87, fst_register<false>),
    row("DD D8+i", "fstp", w(STi), kNone, x87, fst_register<true>),
    row("DF /2", "fist", w(ToMw), kNone, x87, fist<u16, false>),
    row("DF /3", "fistp", w(ToMw), kNone, x87, fist<u16, true>),
    row("DB /2", "fist", w(ToMd), kNone, x87, fist<u32, false>),
    row("DB /3", "fistp", w(ToMd), kNone, x87, fist<u32, true>),
    row("DF /7", "fistp", w(ToMq), kNone, x87, fist<u64, true>),
    row("DF /1", "fisttp", w(ToMw), kNone, x87, Feature::kSse3, fist<u16, true, true>),
    row("DB /1", "fisttp", w(ToMd), kNone, x87, Feature::kSse3, fist<u32, true, true>),
    row("DD /1", "fisttp", w(ToMq), kNone, x87, Feature::kSse3, fist<u64, true, true>),
    row("DF /6", "fbstp", w(ToMt), kNone, x87, fbstp),

    row("D9 C8+i", "fxch", rw(STi), kNone, x87, fxch),
    row("DA C0+i", "fcmovb", rw(ST0), r(STi), "     T", x87, fcmov<kCf, true>),
    row("DA C8+i", "fcmove", rw(ST0), r(STi), "  T   ", x87, fcmov<kZf, true>),
    row("DA D0+i", "fcmovbe", rw(ST0), r(STi), "  T  T", x87, fcmov<(kCf | kZf), true>),
    row("DA D8+i", "fcmovu", rw(ST0), r(STi), "    T ", x87, fcmov<kPf, true>),
    row("DB C0+i", "fcmovnb", rw(ST0), r(STi), "     T", x87, fcmov<kCf, false>),
    row("DB C8+i", "fcmovne", rw(ST0), r(STi), "  T   ", x87, fcmov<kZf, false>),
    row("DB D0+i", "fcmovnbe", rw(ST0), r(STi), "  T  T", x87, fcmov<(kCf | kZf), false>),
    row("DB D8+i", "fcmovnu", rw(ST0), r(STi), "    T ", x87, fcmov<kPf, false>),
    row("D9 F6", "fdecstp", kNone, x87, turn<-1>),
    row("D9 F7", "fincstp", kNone, x87, turn<1>),
    row("DD C0+i", "ffree", w(STi), kNone, x87, ffree<false>),
    row("DF C0+i", "ffreep", w(STi), kNone, x87, ffree<true>),
    row("D9 D0", "fnop", kNone, x87, fnop),
};

}  // namespace

std::span<const Row> x87_transfer_rows() {
  return kRows;
}

}  // namespace kite::tcg
