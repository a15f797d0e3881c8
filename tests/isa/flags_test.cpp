// Flags keeps values instead of bits: what it answers, against the definitions of SDM 1 3.4.3.1.
#include "accel/tcg/flags.h"

#include <gtest/gtest.h>

namespace kite::tcg {
namespace {

u32 expected(u8 result, bool carry, bool overflow, bool adjust) {
  return (carry ? kCf : 0) | (std::popcount(result) % 2 == 0 ? kPf : 0) | (adjust ? kAf : 0) |
         (result == 0 ? kZf : 0) | (result & 0x80 ? kSf : 0) | (overflow ? kOf : 0);
}

TEST(Flags, EveryByteAdditionWithAndWithoutCarry) {
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b)
      for (int carry = 0; carry < 2; ++carry) {
        const int wide = a + b + carry;
        const int narrow = static_cast<i8>(a) + static_cast<i8>(b) + carry;
        const u8 r = static_cast<u8>(wide);
        Flags flags;
        flags.add<u8>(static_cast<u8>(a), static_cast<u8>(b), r);
        ASSERT_EQ(flags.get(), expected(r, wide > 255, narrow != static_cast<i8>(r),
                                        (a & 15) + (b & 15) + carry > 15))
            << a << " + " << b << " + " << carry;
      }
}

TEST(Flags, EveryByteSubtractionWithAndWithoutBorrow) {
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b)
      for (int borrow = 0; borrow < 2; ++borrow) {
        const int wide = a - b - borrow;
        const int narrow = static_cast<i8>(a) - static_cast<i8>(b) - borrow;
        const u8 r = static_cast<u8>(wide);
        Flags flags;
        flags.sub<u8>(static_cast<u8>(a), static_cast<u8>(b), r);
        ASSERT_EQ(flags.get(), expected(r, wide < 0, narrow != static_cast<i8>(r),
                                        (a & 15) - (b & 15) - borrow < 0))
            << a << " - " << b << " - " << borrow;
      }
}

TEST(Flags, EveryCombinationThatIsSetIsReadBack) {
  constexpr u32 kBits[] = {kCf, kPf, kAf, kZf, kSf, kOf};
  for (unsigned pattern = 0; pattern < 64; ++pattern) {
    u32 value = 0;
    for (unsigned i = 0; i < 6; ++i)
      if (pattern >> i & 1) value |= kBits[i];
    Flags flags;
    flags.set(value);
    ASSERT_EQ(flags.get(), value);
    flags.logic<u32>(0x80000000);
    flags.update(kArithmeticFlags, value);
    ASSERT_EQ(flags.get(), value);
  }
}

TEST(Flags, IncAndDecKeepTheCarry) {
  for (bool carry : {false, true}) {
    Flags flags;
    flags.set(carry ? kCf : 0);
    flags.inc<u16>(0x7fff, 0x8000);
    EXPECT_EQ(flags.cf(), carry);
    EXPECT_TRUE(flags.of());
    EXPECT_TRUE(flags.sf());
    flags.dec<u16>(0, 0xffff);
    EXPECT_EQ(flags.cf(), carry);
    EXPECT_FALSE(flags.of());
  }
}

TEST(Flags, AResultOfEveryWidthHasItsOwnSignBit) {
  Flags flags;
  flags.logic<u8>(0x80);
  EXPECT_TRUE(flags.sf());
  flags.logic<u32>(0x80);
  EXPECT_FALSE(flags.sf());
  flags.logic<u64>(bit(63));
  EXPECT_TRUE(flags.sf());
  flags.add<u64>(~u64{0}, 1, 0);
  EXPECT_TRUE(flags.cf() && flags.zf() && !flags.of());
}

}  // namespace
}  // namespace kite::tcg
