// The quick ways of SimdFloat against its exact one: equal results wherever a quick one is taken.
// MXCSR decides: with "inexact" set they may be taken, without it they may not.
#include <gtest/gtest.h>

#include <cmath>

#include "accel/tcg/fpu/sse_float.h"
#include "float_operands.h"

namespace kite::fpu {
namespace {

constexpr u32 kExact = 0x1f80, kQuick = kExact | kPrecision;
constexpr int kRuns = 100'000;

// Mostly ordinary numbers of like size, as every lane must be one for the quick way; sometimes any.
template <class B>
B random_lane(test::Operands& operands, bool any) {
  const u64 r = operands.bits();
  if (any) {
    if constexpr (sizeof(B) == 4)
      return operands.single_bits();
    else
      return operands.double_bits();
  }
  using F = typename LaneTraits<B>::Host;
  F value = static_cast<F>(static_cast<i64>(operands.bits())) * static_cast<F>(0x1p-60);
  if (r % 4 == 0) value = std::round(value * 64) / 64;  // few bits: exact results and ties
  return std::bit_cast<B>(std::ldexp(value, static_cast<int>(r >> 8 & 31) - 16));
}
template <class B>
Vec256 random_vector(test::Operands& operands) {
  const bool any = operands.bits() % 8 == 0;
  return vec::generate<B, 32>([&](unsigned) { return random_lane<B>(operands, any); });
}

template <class B, class Operation, class Exact>
void expect_quick_equal(Exact exact) {
  test::Operands operands(sizeof(B));
  int taken = 0;
  for (int i = 0; i < kRuns; ++i) {
    const Vec256 a = random_vector<B>(operands), b = random_vector<B>(operands);
    SimdFloat quick(kQuick), slow(kExact);
    Vec256 result = a;
    if (!quick.quick_lanes<B, Operation>(result, b)) continue;
    ++taken;
    ASSERT_EQ(result, vec::map<B>(a, b, [&](B x, B y) { return exact(slow, x, y); })) << i;
    ASSERT_EQ(slow.flags() & ~kPrecision, 0);
  }
  EXPECT_GT(taken, kRuns / 2);
}

template <class B>
void expect_arithmetic_equal() {
  expect_quick_equal<B, quick::Add>([](SimdFloat& f, B x, B y) { return f.add(x, y); });
  expect_quick_equal<B, quick::Subtract>([](SimdFloat& f, B x, B y) { return f.subtract(x, y); });
  expect_quick_equal<B, quick::Multiply>([](SimdFloat& f, B x, B y) { return f.multiply(x, y); });
  expect_quick_equal<B, quick::Divide>([](SimdFloat& f, B x, B y) { return f.divide(x, y); });
}
TEST(QuickFloat, ComputesSinglesAsTheExactWay) {
  expect_arithmetic_equal<u32>();
}
TEST(QuickFloat, ComputesDoublesAsTheExactWay) {
  expect_arithmetic_equal<u64>();
}

// An addend that leaves nothing, or little, of the product; or one far below it; or any.
template <class B>
Vec256 random_addend(test::Operands& operands, const Vec256& a, const Vec256& b) {
  using F = typename LaneTraits<B>::Host;
  const u64 r = operands.bits();
  if (r % 4 == 0) return random_vector<B>(operands);
  return vec::generate<B, 32>([&](unsigned i) {
    const F product = std::bit_cast<F>(a.lane<B>(i)) * std::bit_cast<F>(b.lane<B>(i));
    if (r % 4 == 1) return std::bit_cast<B>(std::ldexp(product, -static_cast<int>(r >> 8 & 127)));
    return static_cast<B>(std::bit_cast<B>(-product) + (r >> 16) % 3 - 1);
  });
}

template <class B>
void expect_fused_equal() {
  test::Operands operands(3 * sizeof(B));
  for (int i = 0; i < kRuns; ++i) {
    const Vec256 a = random_vector<B>(operands), b = random_vector<B>(operands);
    const Vec256 c = random_addend<B>(operands, a, b);
    const u8 even = operands.bits() & 3, odd = operands.bits() & 3;
    SimdFloat all(kQuick), each(kQuick), slow(kExact);
    const Vec256 result = all.multiply_add<B>(a, b, c, even, odd);
    ASSERT_EQ(result, slow.multiply_add<B>(a, b, c, even, odd)) << i;
    ASSERT_EQ(all.flags() | kPrecision, slow.flags() | kPrecision) << i;
    ASSERT_EQ(result.lane<B>(0), each.multiply_add(a.lane<B>(0), b.lane<B>(0), c.lane<B>(0), even))
        << i;
  }
}
TEST(QuickFloat, FusesSinglesAsTheExactWay) {
  expect_fused_equal<u32>();
}
TEST(QuickFloat, FusesDoublesAsTheExactWay) {
  expect_fused_equal<u64>();
}

}  // namespace
}  // namespace kite::fpu
