// The fused multiply-add, half precision and the predicates of VCMPPS: known answers for every
// host. Rows are compared with the silicon in vector_rows_test.cpp.
#include <gtest/gtest.h>

#include "accel/tcg/fpu/sse_float.h"

namespace kite::fpu {
namespace {

constexpr u32 kDefaultMxcsr = 0x1f80;
constexpr u32 kQuickMxcsr = kDefaultMxcsr | kPrecision;  // the host's arithmetic may be taken
constexpr u32 kRoundDown = 0x2000, kRoundUp = 0x4000;

template <class B>
B fused(SimdFloat& f, auto a, auto b, auto c, u8 negate = kNegateNothing) {
  return f.multiply_add<B>(std::bit_cast<B>(a), std::bit_cast<B>(b), std::bit_cast<B>(c), negate);
}

TEST(MultiplyAdd, RoundsOnce) {
  for (u32 mxcsr : {kDefaultMxcsr, kQuickMxcsr}) {
    SimdFloat f(mxcsr);
    // (1 + ε)(1 − ε) − 1 is −ε², which two roundings would lose.
    EXPECT_EQ(fused<u64>(f, 1 + 0x1p-52, 1 - 0x1p-52, -1.0), 0xb970000000000000u);
    EXPECT_EQ(fused<u32>(f, 1 + 0x1p-23f, 1 - 0x1p-23f, -1.0f), 0xa8800000u);
    EXPECT_EQ(f.flags(), 0);
  }
}

TEST(MultiplyAdd, SeesAnAddendFarBelowATie) {
  for (u32 mxcsr : {kDefaultMxcsr, kQuickMxcsr}) {
    SimdFloat f(mxcsr);
    // The square ends in a tie; in double precision the addend is too small to break it.
    EXPECT_EQ(fused<u32>(f, 1 + 0x1p-12f, 1 + 0x1p-12f, 0x1p-80f), 0x3f801001u);
    EXPECT_EQ(fused<u32>(f, 1 + 0x1p-12f, 1 + 0x1p-12f, -0x1p-80f), 0x3f801000u);
    EXPECT_EQ(fused<u32>(f, 1 + 0x1p-12f, 1 + 0x1p-12f, 0.0f), 0x3f801000u);
    EXPECT_EQ(fused<u64>(f, 1 + 0x1p-27, 1 + 0x1p-26, 0x1p-200), 0x3ff0000006000001u);
    EXPECT_EQ(fused<u64>(f, 1 + 0x1p-27, 1 + 0x1p-26, -0x1p-200), 0x3ff0000006000000u);
    EXPECT_EQ(mxcsr | f.flags(), kQuickMxcsr);
  }
}

TEST(MultiplyAdd, NegatesTheProductTheAddendOrBoth) {
  for (u32 mxcsr : {kDefaultMxcsr, kQuickMxcsr}) {
    SimdFloat f(mxcsr);
    const auto value = [&](u8 negate) {
      return std::bit_cast<double>(fused<u64>(f, 2.0, 3.0, 4.0, negate));
    };
    EXPECT_EQ(value(kNegateNothing), 10);
    EXPECT_EQ(value(kNegateAddend), 2);
    EXPECT_EQ(value(kNegateProduct), -2);
    EXPECT_EQ(value(kNegateProduct | kNegateAddend), -10);
  }
}

TEST(MultiplyAdd, AZeroSumHasTheSignOfTheRounding) {
  SimdFloat nearest(kDefaultMxcsr), quick(kQuickMxcsr), down(kDefaultMxcsr | kRoundDown);
  EXPECT_EQ(fused<u32>(nearest, 2.0f, 3.0f, -6.0f), 0u);
  EXPECT_EQ(fused<u32>(quick, 2.0f, 3.0f, -6.0f), 0u);
  EXPECT_EQ(fused<u32>(down, 2.0f, 3.0f, -6.0f), 0x80000000u);
  EXPECT_EQ(fused<u32>(nearest, -0.0f, 3.0f, -0.0f), 0x80000000u);
  EXPECT_EQ(fused<u32>(quick, -0.0f, 3.0f, 0.0f), 0u);
  EXPECT_EQ(fused<u64>(quick, 0.0, 3.0, 0.0, kNegateProduct | kNegateAddend), u64{1} << 63);
}

TEST(MultiplyAdd, TheFirstNanWinsAndNegationLeavesItAlone) {
  SimdFloat f(kDefaultMxcsr);
  EXPECT_EQ(f.multiply_add<u32>(0x7fc00001, 0x7fc00002, 0x7fc00003, 3), 0x7fc00001u);
  EXPECT_EQ(f.multiply_add<u32>(0x3f800000, 0x7fc00002, 0x7fc00003, 3), 0x7fc00002u);
  EXPECT_EQ(f.multiply_add<u32>(0x3f800000, 0x3f800000, 0x7fc00003, 3), 0x7fc00003u);
  EXPECT_EQ(f.flags(), 0);
  EXPECT_EQ(f.multiply_add<u32>(0x7fc00001, 0x7fc00002, 0x7f800003, 0), 0x7fc00001u);
  EXPECT_EQ(f.flags(), kInvalid);
}

TEST(MultiplyAdd, InfinityTimesZeroIsInvalidUnlessTheAddendIsANan) {
  SimdFloat f(kDefaultMxcsr), quiet(kDefaultMxcsr);
  EXPECT_EQ(f.multiply_add<u32>(0x7f800000, 0, 0x3f800000, 0), 0xffc00000u);
  EXPECT_EQ(f.flags(), kInvalid);
  EXPECT_EQ(quiet.multiply_add<u32>(0x7f800000, 0, 0x7fc00003, 0), 0x7fc00003u);
  EXPECT_EQ(quiet.flags(), 0);
}

TEST(MultiplyAdd, InfinityMinusInfinityIsInvalid) {
  SimdFloat f(kDefaultMxcsr), sum(kDefaultMxcsr);
  EXPECT_EQ(f.multiply_add<u32>(0x7f800000, 0x3f800000, 0x7f800000, kNegateAddend), 0xffc00000u);
  EXPECT_EQ(f.flags(), kInvalid);
  EXPECT_EQ(sum.multiply_add<u32>(0x7f800000, 0xbf800000, 0xff800000, 0), 0xff800000u);
  EXPECT_EQ(sum.flags(), 0);
}

TEST(MultiplyAdd, TininessIsDetectedAfterRounding) {
  SimdFloat normal(kDefaultMxcsr), tiny(kDefaultMxcsr), exact(kDefaultMxcsr);
  EXPECT_EQ(fused<u64>(normal, 0x1p-600, -0x1p-477, 0x1p-1022), 0x0010000000000000u);
  EXPECT_EQ(normal.flags(), kPrecision);
  EXPECT_EQ(fused<u64>(tiny, 0x1p-1022, 1 - 0x1p-53, 0.0), 0x0010000000000000u);
  EXPECT_EQ(tiny.flags(), kUnderflow | kPrecision);
  EXPECT_EQ(fused<u64>(exact, 0x1p-600, 0x1p-474, 0.0), 1u);
  EXPECT_EQ(exact.flags(), 0);
}

TEST(MultiplyAdd, OverflowsAfterTheSumOnly) {
  SimdFloat f(kDefaultMxcsr), over(kDefaultMxcsr);
  EXPECT_EQ(fused<u32>(f, 0x1p127f, 2.0f, -0x1p127f), 0x7f000000u);
  EXPECT_EQ(f.flags(), 0);
  EXPECT_EQ(fused<u32>(over, 0x1p127f, 2.0f, 1.0f), 0x7f800000u);
  EXPECT_EQ(over.flags(), kOverflow | kPrecision);
}

TEST(MultiplyAdd, DenormalsAreFlaggedOrZerosWithDaz) {
  SimdFloat f(kDefaultMxcsr), daz(kDefaultMxcsr | kMxcsrDaz);
  EXPECT_EQ(f.multiply_add<u32>(0x3f800000, 0x3f800000, 1, 0), 0x3f800000u);
  EXPECT_EQ(f.flags(), kDenormal | kPrecision);
  EXPECT_EQ(daz.multiply_add<u32>(0x3f800000, 0x3f800000, 1, 0), 0x3f800000u);
  EXPECT_EQ(daz.flags(), 0);
}

TEST(HalfPrecision, WidensExactly) {
  SimdFloat f(kDefaultMxcsr | kMxcsrDaz);
  EXPECT_EQ(f.half_to_single(0x3c00), 0x3f800000u);
  EXPECT_EQ(f.half_to_single(0x8000), 0x80000000u);
  EXPECT_EQ(f.half_to_single(0x0001), 0x33800000u);  // denormal, in spite of DAZ
  EXPECT_EQ(f.half_to_single(0x83ff), 0xb87fc000u);
  EXPECT_EQ(f.half_to_single(0xfc00), 0xff800000u);
  EXPECT_EQ(f.half_to_single(0x7e01), 0x7fc02000u);
  EXPECT_EQ(f.flags(), 0);
  EXPECT_EQ(f.half_to_single(0x7c01), 0x7fc02000u);
  EXPECT_EQ(f.flags(), kInvalid);
}

struct Narrowing {
  u32 mxcsr, single;
  u8 control;
  u16 half;
  u8 flags;
};

TEST(HalfPrecision, NarrowsByTheImmediatesRounding) {
  constexpr u8 kNearest = 0, kDown = 1, kUp = 2, kZero = 3, kByMxcsr = 4;
  constexpr u8 kTiny = kUnderflow | kPrecision;
  constexpr Narrowing kCases[] = {
      {kDefaultMxcsr, 0x3f800000, kNearest, 0x3c00, 0},
      {kDefaultMxcsr, 0x477ff000, kNearest, 0x7c00, kOverflow | kPrecision},  // 65520
      {kDefaultMxcsr, 0x477fefff, kNearest, 0x7bff, kPrecision},
      {kDefaultMxcsr, 0x47800000, kZero, 0x7bff, kOverflow | kPrecision},
      {kDefaultMxcsr, 0x387fffff, kNearest, 0x0400, kPrecision},  // tiny before rounding only
      {kDefaultMxcsr, 0x387fc000, kNearest, 0x03ff, 0},
      {kDefaultMxcsr, 0x33000000, kNearest, 0x0000, kTiny},  // half of the smallest: a tie
      {kDefaultMxcsr, 0x33000001, kNearest, 0x0001, kTiny},
      {kDefaultMxcsr, 0xb3000000, kUp, 0x8000, kTiny},
      {kDefaultMxcsr, 0xb3000000, kDown, 0x8001, kTiny},
      {kDefaultMxcsr | kRoundUp, 0x33000000, kByMxcsr, 0x0001, kTiny},
      {kDefaultMxcsr | kRoundUp, 0x33000000, kNearest, 0x0000, kTiny},
      {kDefaultMxcsr | kMxcsrFtz, 0x33800000, kNearest, 0x0001, 0},  // in spite of FTZ
      {kDefaultMxcsr | kMxcsrFtz, 0x33800001, kNearest, 0x0001, kTiny},
      {kDefaultMxcsr, 0x00000001, kNearest, 0x0000, kDenormal | kTiny},
      {kDefaultMxcsr | kMxcsrDaz, 0x00000001, kUp, 0x0000, 0},
      {kDefaultMxcsr, 0xff800000, kNearest, 0xfc00, 0},
      {kDefaultMxcsr, 0x7fc02000, kNearest, 0x7e01, 0},
      {kDefaultMxcsr, 0x7f800001, kNearest, 0x7e00, kInvalid},
  };
  for (const Narrowing& c : kCases) {
    SimdFloat f(c.mxcsr);
    EXPECT_EQ(f.single_to_half(c.single, c.control), c.half) << std::hex << c.single;
    EXPECT_EQ(f.flags(), c.flags) << std::hex << c.single;
  }
}

TEST(HalfPrecision, UnmaskedUnderflowHidesALossThatRoundingToTheHalfsPrecisionHasNot) {
  constexpr u32 kUnmasked = kDefaultMxcsr & ~(u32{kUnderflow} << 7);
  SimdFloat exact(kUnmasked), denormal(kUnmasked);
  exact.single_to_half(0x30800000, 0);  // 2^-30
  EXPECT_EQ(exact.flags(), kUnderflow);
  EXPECT_TRUE(exact.faults());
  denormal.single_to_half(1, 0);
  EXPECT_EQ(denormal.flags(), kDenormal | kUnderflow | kPrecision);
}

TEST(Compare, HasTheManualsPredicates) {
  constexpr u32 kOne = 0x3f800000, kTwo = 0x40000000, kQuietNan = 0x7fc00000;
  // Less, equal, greater, unordered; and whether a quiet NaN is invalid (SDM 2A table 3-1).
  constexpr const char* kTable[32] = {"-E-- ", "L---!", "LE--!", "---U ", "L-GU ", "-EGU!", "--GU!",
                                      "LEG- ", "-E-U ", "L--U!", "LE-U!", "---- ", "L-G- ", "-EG-!",
                                      "--G-!", "LEGU ", "-E--!", "L--- ", "LE-- ", "---U!", "L-GU!",
                                      "-EGU ", "--GU ", "LEG-!", "-E-U!", "L--U ", "LE-U ", "----!",
                                      "L-G-!", "-EG- ", "--G- ", "LEGU!"};
  for (u8 predicate = 0; predicate < 32; ++predicate) {
    SimdFloat ordered(kDefaultMxcsr), nan(kDefaultMxcsr);
    const char* row = kTable[predicate];
    const auto all = [&](unsigned i) { return row[i] == '-' ? 0 : ~u32{0}; };
    EXPECT_EQ(ordered.compare(kOne, kTwo, predicate), all(0)) << int(predicate);
    EXPECT_EQ(ordered.compare(kOne, kOne, predicate), all(1)) << int(predicate);
    EXPECT_EQ(ordered.compare(kTwo, kOne, predicate), all(2)) << int(predicate);
    EXPECT_EQ(ordered.flags(), 0);
    EXPECT_EQ(nan.compare(kOne, kQuietNan, predicate), all(3)) << int(predicate);
    EXPECT_EQ(nan.flags(), row[4] == '!' ? kInvalid : 0) << int(predicate);
  }
}

TEST(SimdFloat, AnEarlierStepsExceptionsStay) {
  SimdFloat f(kDefaultMxcsr & ~(u32{kInvalid} << 7));
  f.multiply<u32>(0x7f000000, 0x7f000000);
  EXPECT_TRUE(f.next_step());
  f.add<u32>(0x7f800000, 0xff800000);
  EXPECT_FALSE(f.next_step());
  EXPECT_EQ(f.flags(), kOverflow | kPrecision | kInvalid);
}

}  // namespace
}  // namespace kite::fpu
