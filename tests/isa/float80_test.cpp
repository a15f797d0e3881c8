// The x87's arithmetic against the host's own x87 (x86-64 hosts), and known vectors for every host.
#include "accel/tcg/fpu/float80.h"

#include <gtest/gtest.h>

#include "base/bits.h"
#include "tests/isa/support/host_features.h"
#include "x87_host.h"

namespace kite::fpu {
namespace {

using namespace test;

TEST(Float80, OneThirdRoundsAsTheRoundingControlSays) {
  const Number three = from_integer(3);
  Control control;
  EXPECT_EQ(pack(divide(control, one(), three).value), (Float80{0xaaaaaaaaaaaaaaab, 0x3ffd}));
  control.rounding = Rounding::kDown;
  EXPECT_EQ(pack(divide(control, one(), three).value), (Float80{0xaaaaaaaaaaaaaaaa, 0x3ffd}));
  control.format.precision = 24;
  EXPECT_EQ(pack(divide(control, one(), three).value), (Float80{0xaaaaaa0000000000, 0x3ffd}));
}

TEST(Float80, SquareRootOfTwoIsExactlyRounded) {
  const Result root = square_root({}, from_integer(2));
  EXPECT_EQ(pack(root.value), (Float80{0xb504f333f9de6484, 0x3fff}));
  EXPECT_EQ(root.flags, kPrecision);
}

TEST(Float80, ZeroOverZeroIsTheIndefinite) {
  const Result result = divide({}, zero(false), zero(true));
  EXPECT_EQ(pack(result.value), kIndefinite80);
  EXPECT_EQ(result.flags, kInvalid);
}

TEST(Float80, AnUnnormalOperandIsInvalid) {
  const Result result = add({}, unpack({0x4000000000000000, 0x3fff}), one());
  EXPECT_EQ(pack(result.value), kIndefinite80);
  EXPECT_EQ(result.flags, kInvalid);
}

TEST(Float80, PiIsRoundedByTheRoundingControl) {
  EXPECT_EQ(constant(Rounding::kNearest, 3), (Float80{0xc90fdaa22168c235, 0x4000}));
  EXPECT_EQ(constant(Rounding::kZero, 3), (Float80{0xc90fdaa22168c234, 0x4000}));
}

TEST(Float80, BcdGoesThereAndBack) {
  const BcdResult bcd = to_bcd(Rounding::kNearest, from_integer(-123456789012345678));
  EXPECT_EQ(bcd.value.low, 0x3456789012345678u);
  EXPECT_EQ(bcd.value.high, 0x8012u);
  EXPECT_EQ(pack(from_bcd(bcd.value)), pack(from_integer(-123456789012345678)));
}

#if defined(__x86_64__)

HOST_X87(host_add, "fadd %%st(1), %%st")
HOST_X87(host_subtract, "fsub %%st(1), %%st")
HOST_X87(host_multiply, "fmul %%st(1), %%st")
HOST_X87(host_divide, "fdiv %%st(1), %%st")
HOST_X87(host_square_root, "fsqrt")
HOST_X87(host_round, "frndint")
HOST_X87(host_scale, "fscale")
HOST_X87(host_remainder_truncated, "fprem")
HOST_X87(host_remainder_nearest, "fprem1")
HOST_X87(host_compare, "fcom %%st(1)")
HOST_X87(host_examine, "fxam")
// FXTRACT leaves two results, and an unmasked exception would strike at the FSTP: masked only.
HOST_X87(host_extract_exponent, "fxtract\n\tfstp %%st")
HOST_X87(host_extract_significand, "fxtract")

// What a register would hold afterwards: untouched when an unmasked exception came first.
Float80 written(const Control& control, const Float80& before, const Result& result) {
  if (result.flags & ~control.masks & kBeforeComputing) return before;
  return pack(result.value);
}

constexpr u16 kPrecisions[] = {0x000, 0x200, 0x300};

u16 random_fcw(Operands& operands) {
  const u64 r = operands.bits();
  const u16 masks = r % 4 == 0 ? static_cast<u16>((r >> 8) & 0x3f) : 0x3f;
  return static_cast<u16>(masks | kPrecisions[(r >> 16) % 3] | ((r >> 24) & 3) << 10);
}

void expect_same(Host host, Ours ours, u64 seed, int count = 1'000'000) {
  Operands operands(seed);
  int failures = 0;
  for (int i = 0; i < count && failures < 8; ++i) {
    const u16 fcw = random_fcw(operands);
    const Float80 a = operands.extended(), b = operands.extended();
    const Control control = control_of(fcw);
    const HostResult expected = host(fcw, a, b);
    const Result result = ours(control, unpack(a), unpack(b));
    const Float80 value = written(control, a, result);
    const bool c1 = !(result.flags & kPrecision) || result.rounded_up == ((expected.fsw >> 9) & 1);
    if (value == expected.value && result.flags == (expected.fsw & 0x3f) && c1) continue;
    ++failures;
    ADD_FAILURE() << std::hex << "fcw " << fcw << " a " << text(a) << " b " << text(b) << ": "
                  << text(value) << " flags " << int(result.flags) << " up " << result.rounded_up
                  << ", host " << text(expected.value) << " fsw " << expected.fsw;
  }
}

TEST(Float80OnHost, Adds) {
  expect_same(host_add, add, 1);
}
TEST(Float80OnHost, Subtracts) {
  expect_same(host_subtract, subtract, 2);
}
TEST(Float80OnHost, Multiplies) {
  expect_same(host_multiply, multiply, 3);
}
TEST(Float80OnHost, Divides) {
  expect_same(host_divide, divide, 4);
}
TEST(Float80OnHost, TakesSquareRoots) {
  expect_same(
      host_square_root,
      [](const Control& c, const Number& a, const Number&) { return square_root(c, a); }, 5);
}
TEST(Float80OnHost, RoundsToIntegral) {
  expect_same(
      host_round,
      [](const Control& c, const Number& a, const Number&) { return round_to_integral(c, a); }, 6);
}
TEST(Float80OnHost, Scales) {
  expect_same(host_scale, scale, 7);
}
TEST(Float80OnHost, ExtractsExponentAndSignificand) {
  Operands operands(8);
  for (int i = 0; i < 300'000; ++i) {
    const Float80 a = operands.extended();
    const HostResult exponent = host_extract_exponent(0x37f, a, a);
    const HostResult significand = host_extract_significand(0x37f, a, a);
    const ExtractResult result = extract({}, unpack(a));
    ASSERT_EQ(pack(result.exponent), exponent.value) << text(a);
    ASSERT_EQ(pack(result.significand), significand.value) << text(a);
    ASSERT_EQ(result.flags, significand.fsw & 0x3f) << text(a);
  }
}

void expect_same_remainder(Host host,
                           RemainderResult (*ours)(const Control&, const Number&, const Number&),
                           u64 seed) {
  Operands operands(seed);
  int failures = 0;
  for (int i = 0; i < 1'000'000 && failures < 8; ++i) {
    const u16 fcw = random_fcw(operands);
    const Float80 a = operands.extended(), b = operands.extended();
    const Control control = control_of(fcw);
    // A denormal divided by infinity, underflow unmasked: AMD underflows, Intel and Kite do not.
    if (!isa::host_is_intel() && unpack(b).infinite() && unpack(a).denormal &&
        !(control.masks & kUnderflow))
      continue;
    const HostResult expected = host(fcw, a, b);
    const RemainderResult r = ours(control, unpack(a), unpack(b));
    const Float80 value = written(control, a, r.result);
    const bool done = !(r.result.flags & kInvalid) && !unpack(value).nan();
    // C0, C3, C1 are the quotient's bits 2, 1, 0.
    const u16 codes = static_cast<u16>(r.partial << 10 | (r.quotient & 4) << 6 |
                                       (r.quotient & 2) << 13 | (r.quotient & 1) << 9);
    const bool stopped = r.result.flags & ~control.masks & kBeforeComputing;
    const bool codes_match = !done || stopped || (expected.fsw & 0x4700) == codes;
    if (value == expected.value && r.result.flags == (expected.fsw & 0x3f) && codes_match) continue;
    ++failures;
    ADD_FAILURE() << std::hex << "fcw " << fcw << " a " << text(a) << " b " << text(b) << ": "
                  << text(value) << " flags " << int(r.result.flags) << " codes " << codes
                  << ", host " << text(expected.value) << " fsw " << expected.fsw;
  }
}

TEST(Float80OnHost, TakesTruncatedRemainders) {
  expect_same_remainder(host_remainder_truncated, remainder_truncated, 9);
}
TEST(Float80OnHost, TakesNearestRemainders) {
  expect_same_remainder(host_remainder_nearest, remainder_nearest, 10);
}

TEST(Float80OnHost, Compares) {
  Operands operands(11);
  constexpr u16 kCodes[] = {0x0100, 0x4000, 0x0000, 0x4500};
  for (int i = 0; i < 1'000'000; ++i) {
    const Float80 a = operands.extended(), b = operands.extended();
    const HostResult expected = host_compare(0x37f, a, b);
    const Order order = compare(unpack(a), unpack(b));
    ASSERT_EQ(kCodes[static_cast<int>(order)], expected.fsw & 0x4500) << text(a) << " " << text(b);
  }
}

TEST(Float80OnHost, Classifies) {
  Operands operands(12);
  constexpr u16 kCodes[] = {0x0000, 0x0100, 0x0400, 0x0500, 0x4000, 0x4400};
  for (int i = 0; i < 300'000; ++i) {
    const Float80 a = operands.extended();
    const HostResult expected = host_examine(0x37f, a, a);
    ASSERT_EQ(kCodes[static_cast<int>(classify(a))], expected.fsw & 0x4500) << text(a);
  }
}

template <class T>
void expect_same_integers(void (*host)(u16 fcw, const Float80& a, T& out, u16& fsw)) {
  Operands operands(sizeof(T));
  for (int i = 0; i < 500'000; ++i) {
    const u16 fcw = random_fcw(operands) | 0x3f;
    const Float80 a = operands.extended();
    T expected;
    u16 fsw;
    host(fcw, a, expected, fsw);
    const IntegerResult result = to_integer(control_of(fcw).rounding, unpack(a), 8 * sizeof(T));
    ASSERT_EQ(static_cast<T>(result.value), expected) << text(a);
    ASSERT_EQ(result.flags, fsw & 0x3f) << text(a);
    const bool c1 = fsw >> 9 & 1;
    ASSERT_TRUE(result.rounded_up == c1 || !(result.flags & kPrecision)) << text(a);
  }
}

#define HOST_FIST(type, instruction)                                                          \
  [](u16 fcw, const Float80& a, type& out, u16& fsw) {                                        \
    Slot x{a};                                                                                \
    asm volatile("fninit\n\tfldt %2\n\tfldcw %3\n\t" instruction " %0\n\tfnstsw %1\n\tfninit" \
                 : "=m"(out), "=m"(fsw)                                                       \
                 : "m"(x.value), "m"(fcw)                                                     \
                 : "st");                                                                     \
  }
TEST(Float80OnHost, StoresShorts) {
  expect_same_integers<i16>(HOST_FIST(i16, "fistps"));
}
TEST(Float80OnHost, StoresInts) {
  expect_same_integers<i32>(HOST_FIST(i32, "fistpl"));
}
TEST(Float80OnHost, StoresLongs) {
  expect_same_integers<i64>(HOST_FIST(i64, "fistpll"));
}

TEST(Float80OnHost, StoresDoublesAndSingles) {
  Operands operands(13);
  for (int i = 0; i < 1'000'000; ++i) {
    const u16 fcw = random_fcw(operands) | 0x3f;
    Slot x{operands.extended()};
    u64 wide;
    u32 narrow;
    u16 wide_fsw, narrow_fsw;
    asm volatile(
        "fninit\n\tfldt %4\n\tfldcw %5\n\tfstl %0\n\tfnstsw %1\n\tfnclex\n\t"
        "fsts %2\n\tfnstsw %3\n\tfninit"
        : "=m"(wide), "=m"(wide_fsw), "=m"(narrow), "=m"(narrow_fsw)
        : "m"(x.value), "m"(fcw)
        : "st");
    Control control = control_of(fcw);
    control.format = kDouble;
    Result result = convert(control, unpack(x.value));
    result.flags &= ~kDenormal;  // FST does not raise it
    ASSERT_EQ(pack_double(result.value), wide) << std::hex << fcw << " " << text(x.value);
    ASSERT_EQ(result.flags, wide_fsw & 0x3f) << std::hex << fcw << " " << text(x.value);
    control.format = kSingle;
    result = convert(control, unpack(x.value));
    result.flags &= ~kDenormal;
    ASSERT_EQ(pack_single(result.value), narrow) << text(x.value);
    ASSERT_EQ(result.flags, narrow_fsw & 0x3f) << text(x.value);
  }
}

TEST(Float80OnHost, StoresAndLoadsDecimals) {
  Operands operands(14);
  for (int i = 0; i < 300'000; ++i) {
    const u16 fcw = random_fcw(operands) | 0x3f;
    Slot x{operands.extended()}, back{};
    struct {
      u64 low;
      u16 high;
    } expected;
    u16 fsw;
    asm volatile("fninit\n\tfldt %3\n\tfldcw %4\n\tfbstp %0\n\tfnstsw %1\n\tfbld %0\n\tfstpt %2"
                 : "=m"(expected), "=m"(fsw), "=m"(back.value)
                 : "m"(x.value), "m"(fcw)
                 : "st");
    const BcdResult result = to_bcd(control_of(fcw).rounding, unpack(x.value));
    ASSERT_EQ(result.value.low, expected.low) << text(x.value);
    ASSERT_EQ(result.value.high, expected.high) << text(x.value);
    ASSERT_EQ(result.flags, fsw & 0x3f) << text(x.value);
    if (result.flags & kInvalid) continue;
    ASSERT_EQ(pack(from_bcd(result.value)), back.value) << text(x.value);
  }
}

#else
TEST(Float80OnHost, IsSkipped) {
  GTEST_SKIP() << "this host has no x87 to compare with";
}
#endif

}  // namespace
}  // namespace kite::fpu
