// SSE arithmetic against the host's own instructions under random MXCSR (x86-64 hosts), and known
// vectors for every host.
#include "accel/tcg/fpu/sse_float.h"

#include <gtest/gtest.h>

#include <sstream>

#include "float_operands.h"

namespace kite::fpu {
namespace {

using test::Operands;

constexpr u32 kDefaultMxcsr = 0x1f80;

TEST(SimdFloat, TheFirstNanWinsAndIsQuieted) {
  SimdFloat f(kDefaultMxcsr);
  EXPECT_EQ(f.add<u32>(0x7f800001, 0x7fc00002), 0x7fc00001u);
  EXPECT_EQ(f.flags(), kInvalid);
}

TEST(SimdFloat, MinimumOfTwoZerosIsTheSecond) {
  SimdFloat f(kDefaultMxcsr);
  EXPECT_EQ(f.minimum<u32>(0x00000000, 0x80000000), 0x80000000u);
  EXPECT_EQ(f.minimum<u32>(0x80000000, 0x00000000), 0u);
}

TEST(SimdFloat, DenormalsAreZerosWithDaz) {
  SimdFloat f(kDefaultMxcsr | kMxcsrDaz);
  EXPECT_EQ(f.add<u64>(1, 0x8000000000000001), 0u);
  EXPECT_EQ(f.flags(), 0);
}

TEST(SimdFloat, TinyResultsAreFlushedWithFtz) {
  SimdFloat f(kDefaultMxcsr | kMxcsrFtz);
  EXPECT_EQ(f.multiply<u32>(0x80800000, 0x3f000000), 0x80000000u);
  EXPECT_EQ(f.flags(), kUnderflow | kPrecision);
}

TEST(SimdFloat, AnUnmaskedOperandExceptionHidesTheOthers) {
  SimdFloat f(kDefaultMxcsr & ~(u32{kZeroDivide} << 7));
  f.divide<u32>(0x3f800000, 0x40400000);  // inexact
  f.divide<u32>(0x3f800000, 0);
  EXPECT_EQ(f.flags(), kZeroDivide);
  EXPECT_TRUE(f.faults());
}

TEST(SimdFloat, OutOfRangeConversionGivesTheIndefinite) {
  SimdFloat f(kDefaultMxcsr);
  EXPECT_EQ(f.to_integer<u64>(0x41e0000000000000, 32, true), 0x80000000u);
  EXPECT_EQ(f.flags(), kInvalid);
}

TEST(SimdFloat, ReciprocalsHaveTwelveBits) {
  SimdFloat f(kDefaultMxcsr);
  for (u32 bits = 0x00800000; bits < 0x7e000000; bits += 0x12345) {
    const float x = std::bit_cast<float>(bits);
    const float r = std::bit_cast<float>(f.approximate_reciprocal(bits));
    ASSERT_LE(std::abs(double{r} * x - 1), 1.5 / 4096) << x;
    const float root = std::bit_cast<float>(f.approximate_reciprocal_root(bits));
    ASSERT_LE(std::abs(double{root} * std::sqrt(double{x}) - 1), 1.5 / 4096) << x;
  }
}

#if defined(__x86_64__)

u32 random_mxcsr(Operands& operands) {
  const u64 r = operands.bits();
  u32 mxcsr = kDefaultMxcsr | (r & 0x6000);
  if (r >> 16 & 1) mxcsr |= kPrecision;  // the quick way
  if ((r >> 17 & 3) == 0) mxcsr |= kMxcsrDaz;
  if ((r >> 19 & 3) == 0) mxcsr |= kMxcsrFtz;
  if ((r >> 21 & 1) == 0) mxcsr &= ~0x6000u;
  return mxcsr;
}

template <class B>
B random_lane(Operands& operands) {
  if constexpr (sizeof(B) == 4)
    return operands.single_bits();
  else
    return operands.double_bits();
}

// One instruction on the host: result in `x`, MXCSR afterwards.
#define HOST_SSE(instruction)                                                                \
  [](u32 mxcsr, auto a, auto b, auto& result) {                                              \
    Vec128 x, y;                                                                             \
    x.set_lane<decltype(a)>(0, a);                                                           \
    y.set_lane<decltype(b)>(0, b);                                                           \
    u32 saved, after;                                                                        \
    asm volatile(                                                                            \
        "stmxcsr %0\n\tldmxcsr %4\n\tmovaps %2, %%xmm0\n\tmovaps %3, %%xmm1\n\t" instruction \
        "\n\tstmxcsr %1\n\tldmxcsr %0\n\tmovaps %%xmm0, %2"                                  \
        : "=m"(saved), "=m"(after), "+m"(x)                                                  \
        : "m"(y), "m"(mxcsr)                                                                 \
        : "xmm0", "xmm1", "xmm2");                                                           \
    result = x.lane<std::decay_t<decltype(result)>>(0);                                      \
    return after;                                                                            \
  }

template <class To, class From, class Host, class Ours>
void expect_same(const char* name, Host host, Ours ours) {
  Operands operands(sizeof(To) * 8 + sizeof(From));
  int failures = 0;
  for (int i = 0; i < 400'000 && failures < 5; ++i) {
    const u32 mxcsr = random_mxcsr(operands);
    const From a = random_lane<From>(operands), b = random_lane<From>(operands);
    To expected;
    const u32 after = host(mxcsr, a, b, expected);
    SimdFloat f(mxcsr);
    const To value = static_cast<To>(ours(f, a, b));
    if (value == expected && (mxcsr | f.flags()) == after) continue;
    ++failures;
    ADD_FAILURE() << name << std::hex << " mxcsr " << mxcsr << " a " << a << " b " << b << ": "
                  << value << " " << (mxcsr | f.flags()) << ", host " << expected << " " << after;
  }
}

#define EXPECT_SAME(To, From, text, expression)                                  \
  expect_same<To, From>(text, HOST_SSE(text), [](SimdFloat& f, From a, From b) { \
    (void)b;                                                                     \
    return expression;                                                           \
  })

TEST(SimdFloatOnHost, DoesArithmetic) {
  EXPECT_SAME(u32, u32, "addss %%xmm1, %%xmm0", f.add(a, b));
  EXPECT_SAME(u64, u64, "addsd %%xmm1, %%xmm0", f.add(a, b));
  EXPECT_SAME(u32, u32, "subss %%xmm1, %%xmm0", f.subtract(a, b));
  EXPECT_SAME(u64, u64, "subsd %%xmm1, %%xmm0", f.subtract(a, b));
  EXPECT_SAME(u32, u32, "mulss %%xmm1, %%xmm0", f.multiply(a, b));
  EXPECT_SAME(u64, u64, "mulsd %%xmm1, %%xmm0", f.multiply(a, b));
  EXPECT_SAME(u32, u32, "divss %%xmm1, %%xmm0", f.divide(a, b));
  EXPECT_SAME(u64, u64, "divsd %%xmm1, %%xmm0", f.divide(a, b));
  EXPECT_SAME(u32, u32, "sqrtss %%xmm0, %%xmm0", f.square_root(a));
  EXPECT_SAME(u64, u64, "sqrtsd %%xmm0, %%xmm0", f.square_root(a));
}

TEST(SimdFloatOnHost, ChoosesMinimumAndMaximum) {
  EXPECT_SAME(u32, u32, "minss %%xmm1, %%xmm0", f.minimum(a, b));
  EXPECT_SAME(u64, u64, "minsd %%xmm1, %%xmm0", f.minimum(a, b));
  EXPECT_SAME(u32, u32, "maxss %%xmm1, %%xmm0", f.maximum(a, b));
  EXPECT_SAME(u64, u64, "maxsd %%xmm1, %%xmm0", f.maximum(a, b));
}

TEST(SimdFloatOnHost, Compares) {
  EXPECT_SAME(u32, u32, "cmpss $0, %%xmm1, %%xmm0", f.compare(a, b, 0));
  EXPECT_SAME(u64, u64, "cmpsd $1, %%xmm1, %%xmm0", f.compare(a, b, 1));
  EXPECT_SAME(u32, u32, "cmpss $2, %%xmm1, %%xmm0", f.compare(a, b, 2));
  EXPECT_SAME(u64, u64, "cmpsd $3, %%xmm1, %%xmm0", f.compare(a, b, 3));
  EXPECT_SAME(u32, u32, "cmpss $4, %%xmm1, %%xmm0", f.compare(a, b, 4));
  EXPECT_SAME(u64, u64, "cmpsd $5, %%xmm1, %%xmm0", f.compare(a, b, 5));
  EXPECT_SAME(u32, u32, "cmpss $6, %%xmm1, %%xmm0", f.compare(a, b, 6));
  EXPECT_SAME(u64, u64, "cmpsd $7, %%xmm1, %%xmm0", f.compare(a, b, 7));
}

TEST(SimdFloatOnHost, Converts) {
  EXPECT_SAME(u64, u32, "cvtss2sd %%xmm0, %%xmm0", f.to_double(a));
  EXPECT_SAME(u32, u64, "cvtsd2ss %%xmm0, %%xmm0", f.to_single(a));
  EXPECT_SAME(u32, u32, "cvtps2dq %%xmm0, %%xmm0", f.to_integer(a, 32, false));
  EXPECT_SAME(u32, u32, "cvttps2dq %%xmm0, %%xmm0", f.to_integer(a, 32, true));
  EXPECT_SAME(u32, u64, "cvtpd2dq %%xmm0, %%xmm0", f.to_integer(a, 32, false));
  EXPECT_SAME(u32, u64, "cvttpd2dq %%xmm0, %%xmm0", f.to_integer(a, 32, true));
  EXPECT_SAME(u32, u32, "cvtdq2ps %%xmm0, %%xmm0", f.from_integer<u32>(i32(a)));
  EXPECT_SAME(u64, u32, "cvtdq2pd %%xmm0, %%xmm0", f.from_integer<u64>(i32(a)));
}

TEST(SimdFloatOnHost, RoundsToIntegral) {
  if (!__builtin_cpu_supports("sse4.1")) GTEST_SKIP() << "this host has no SSE4.1";
  EXPECT_SAME(u32, u32, "roundss $0, %%xmm0, %%xmm0", f.round(a, 0));
  EXPECT_SAME(u64, u64, "roundsd $1, %%xmm0, %%xmm0", f.round(a, 1));
  EXPECT_SAME(u32, u32, "roundss $10, %%xmm0, %%xmm0", f.round(a, 10));
  EXPECT_SAME(u64, u64, "roundsd $4, %%xmm0, %%xmm0", f.round(a, 4));
  EXPECT_SAME(u64, u64, "roundsd $12, %%xmm0, %%xmm0", f.round(a, 12));
}

#else
TEST(SimdFloatOnHost, IsSkipped) {
  GTEST_SKIP() << "this host has no SSE to compare with";
}
#endif

}  // namespace
}  // namespace kite::fpu
