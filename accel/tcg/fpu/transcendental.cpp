#include "accel/tcg/fpu/transcendental.h"

#include <mpfr.h>

#include <optional>

namespace kite::fpu {
namespace {

static_assert(GMP_NUMB_BITS == 64 && sizeof(unsigned long) == 8, "Kite's hosts are 64-bit");

// Enough for a 64-bit result whose next 100 bits are all alike, and for the exact reduction below.
constexpr mpfr_prec_t kPrecision256 = 256;

// MPFR keeps its constants per thread; they go when the thread does.
struct CacheOwner {
  ~CacheOwner() { mpfr_free_cache(); }
};

class Real {
 public:
  explicit Real(mpfr_prec_t precision = kPrecision256) {
    static thread_local CacheOwner owner;
    mpfr_init2(value_, precision);
  }
  explicit Real(const Number& number) : Real() { set(number); }
  ~Real() { mpfr_clear(value_); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;

  mpfr_ptr get() { return value_; }

  void set(const Number& number) {
    if (number.zero()) {
      mpfr_set_zero(value_, number.sign ? -1 : 1);
    } else if (number.infinite()) {
      mpfr_set_inf(value_, number.sign ? -1 : 1);
    } else {
      mpfr_set_ui_2exp(value_, number.significand, number.exponent - 63, MPFR_RNDN);
      mpfr_setsign(value_, value_, number.sign, MPFR_RNDN);
    }
  }

 private:
  mpfr_t value_;
};

// The high-precision value as an x87 result; `inexact`: it is itself an approximation.
Result finish(const Control& control, Real& value, bool inexact, u8 flags) {
  const bool sign = mpfr_signbit(value.get());
  if (mpfr_zero_p(value.get())) return {zero(sign), flags, false};
  if (mpfr_inf_p(value.get())) return {infinity(sign), flags, false};
  Real cut(128);
  inexact |= mpfr_set(cut.get(), value.get(), MPFR_RNDZ) != 0;
  const auto* limbs = static_cast<const mp_limb_t*>(mpfr_custom_get_significand(cut.get()));
  const u128 significand = u128{limbs[1]} << 64 | limbs[0] | u128{inexact};
  Control full = control;
  full.format = kExtended;  // precision control does not reach these (SDM 1 8.1.5.2)
  const i32 exponent = static_cast<i32>(mpfr_get_exp(cut.get())) - 1;
  Result result = round(full, sign, exponent, significand);
  result.flags |= flags;
  return result;
}

// The answers to NaNs and unmasked denormals, common to all.
std::optional<Result> special(const Control& control, const Number& a, const Number& b) {
  if (a.kind >= Kind::kQuietNan || b.kind >= Kind::kQuietNan) return propagate(control, a, b);
  const u8 flags = a.denormal || b.denormal ? kDenormal : 0;
  if (flags & ~control.masks) return Result{a, flags, false};
  return std::nullopt;
}

u8 flags_of(const Number& a) {
  return a.denormal ? kDenormal : 0;
}

constexpr Result kInvalidResult{kDefaultNan, kInvalid, false};

// `reduced` becomes a − n·π/2 with |reduced| <= π/4, exactly; returns n modulo 4.
unsigned reduce(const Number& a, Real& reduced) {
  reduced.set(a);
  if (a.exponent < -1) return 0;  // below 0.5
  Real half_pi, count, low;
  // π to 66 bits: 3.243F6A8885A308D and 3 · 2^-64; halved.
  mpfr_set_ui_2exp(half_pi.get(), 0x3243f6a8885a308d, -61, MPFR_RNDN);
  mpfr_set_ui_2exp(low.get(), 3, -65, MPFR_RNDN);
  mpfr_add(half_pi.get(), half_pi.get(), low.get(), MPFR_RNDN);
  mpfr_div(count.get(), reduced.get(), half_pi.get(), MPFR_RNDN);
  mpfr_rint(count.get(), count.get(), MPFR_RNDN);
  mpfr_mul(low.get(), count.get(), half_pi.get(), MPFR_RNDN);
  mpfr_sub(reduced.get(), reduced.get(), low.get(), MPFR_RNDN);
  return static_cast<unsigned>(mpfr_get_sj(count.get(), MPFR_RNDN)) & 3;
}

enum class Function { kSine, kCosine, kTangent };

TrigonometricResult trigonometric(const Control& control, const Number& a, Function function) {
  if (a.infinite()) return {kInvalidResult};
  if (const auto result = special(control, a, a)) return {*result};
  if (a.zero()) return {function == Function::kCosine ? Result{one()} : Result{a}};
  if (a.exponent >= 63) return {{a}, true};
  Real angle, value;
  const unsigned quadrant = reduce(a, angle);
  if (function == Function::kTangent) {
    if (quadrant & 1) {
      mpfr_cot(value.get(), angle.get(), MPFR_RNDN);
      mpfr_neg(value.get(), value.get(), MPFR_RNDN);
    } else {
      mpfr_tan(value.get(), angle.get(), MPFR_RNDN);
    }
  } else {
    const unsigned turn = quadrant + (function == Function::kCosine ? 1 : 0);
    if (turn & 1)
      mpfr_cos(value.get(), angle.get(), MPFR_RNDN);
    else
      mpfr_sin(value.get(), angle.get(), MPFR_RNDN);
    if (turn & 2) mpfr_neg(value.get(), value.get(), MPFR_RNDN);
  }
  return {finish(control, value, true, flags_of(a))};
}

// y · logarithm, when both are finite and not zero. `logarithm` returns MPFR's ternary value.
template <class Logarithm>
Result multiply_by_log(const Control& control, const Number& y, const Number& x,
                       Logarithm logarithm) {
  Real log, factor(y), argument(x);
  bool inexact = logarithm(log.get(), argument.get()) != 0;
  inexact |= mpfr_mul(log.get(), log.get(), factor.get(), MPFR_RNDN) != 0;
  // Processors say "inexact" even of log2(8).
  return finish(control, log, inexact, flags_of(x) | flags_of(y) | kPrecision);
}

int log2_1p(mpfr_ptr result, mpfr_ptr x) {
  Real ln2;
  mpfr_const_log2(ln2.get(), MPFR_RNDN);
  mpfr_log1p(result, x, MPFR_RNDN);
  mpfr_div(result, result, ln2.get(), MPFR_RNDN);
  return 1;
}

}  // namespace

TrigonometricResult sine(const Control& control, const Number& a) {
  return trigonometric(control, a, Function::kSine);
}
TrigonometricResult cosine(const Control& control, const Number& a) {
  return trigonometric(control, a, Function::kCosine);
}
TrigonometricResult tangent(const Control& control, const Number& a) {
  return trigonometric(control, a, Function::kTangent);
}

Result arctangent(const Control& control, const Number& y, const Number& x) {
  if (const auto result = special(control, y, x)) return *result;
  Real angle(y), divisor(x);
  const bool inexact = mpfr_atan2(angle.get(), angle.get(), divisor.get(), MPFR_RNDN) != 0;
  return finish(control, angle, inexact, flags_of(x) | flags_of(y));
}

Result exp2_minus_1(const Control& control, const Number& a) {
  if (const auto result = special(control, a, a)) return *result;
  if (a.infinite()) return {a.sign ? one(true) : a};
  if (a.zero()) return {a};
  // Outside −1 … 1 the manual leaves the result open (SDM 2A F2XM1); processors hand it back.
  const bool unit = a.exponent == 0 && a.significand == u64{1} << 63;
  if (a.exponent >= 0 && !(unit && a.sign)) return {a, kPrecision, false};
  Real product(a), ln2;
  mpfr_const_log2(ln2.get(), MPFR_RNDN);
  mpfr_mul(product.get(), product.get(), ln2.get(), MPFR_RNDN);
  if (unit) return {{Kind::kFinite, true, false, -1, u64{1} << 63}, kPrecision, false};
  mpfr_expm1(product.get(), product.get(), MPFR_RNDN);
  return finish(control, product, true, flags_of(a));
}

Result y_log2_x(const Control& control, const Number& y, const Number& x) {
  if (x.kind < Kind::kQuietNan && y.kind < Kind::kQuietNan) {
    if (!x.zero() && x.sign) return kInvalidResult;
    const Order order = compare(x, one());
    if ((x.zero() || x.infinite()) && y.zero()) return kInvalidResult;
    if (order == Order::kEqual && y.infinite()) return kInvalidResult;
    if (x.zero() && y.finite()) return {infinity(!y.sign), kZeroDivide, false};
  }
  if (const auto result = special(control, y, x)) return *result;
  const u8 flags = flags_of(x) | flags_of(y);
  const Order order = compare(x, one());
  const bool sign = y.sign != (order == Order::kLess);
  if (x.infinite() || y.infinite()) return {infinity(sign), flags, false};
  if (order == Order::kEqual || y.zero()) return {zero(sign), flags, false};
  return multiply_by_log(control, y, x, [](mpfr_ptr result, mpfr_ptr argument) {
    return mpfr_log2(result, argument, MPFR_RNDN);
  });
}

Result y_log2_x_plus_1(const Control& control, const Number& y, const Number& x) {
  if (x.kind < Kind::kQuietNan && y.kind < Kind::kQuietNan) {
    if (x.infinite() && x.sign) return kInvalidResult;
    if ((x.zero() && y.infinite()) || (x.infinite() && y.zero())) return kInvalidResult;
  }
  if (const auto result = special(control, y, x)) return *result;
  const u8 flags = flags_of(x) | flags_of(y);
  const bool sign = y.sign != x.sign;
  if (x.infinite() || y.infinite()) return {infinity(sign), flags, false};
  if (x.zero() || y.zero()) return {zero(sign), flags, false};
  // From −1 down the manual leaves the result open (SDM 2A FYL2XP1); processors hand x back.
  const Order order = compare(x, one(true));
  if (order == Order::kLess || order == Order::kEqual)
    return {x, static_cast<u8>(flags | kPrecision), false};
  return multiply_by_log(control, y, x, log2_1p);
}

}  // namespace kite::fpu
