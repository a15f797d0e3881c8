// Packed integer operations against the host's own MMX and SSE (x86-64 hosts), and known vectors.
#include "accel/tcg/fpu/vector.h"

#include <gtest/gtest.h>

#include <random>

namespace kite {
namespace {

template <class T, class... Lanes>
Vec128 of(Lanes... lanes) {
  return Vec128::of<T>({static_cast<T>(lanes)...});
}

TEST(Vec, SaturatingAdditionStopsAtTheLimits) {
  const Vec128 a = of<i16>(32767, -32768, 1, 0, 0, 0, 0, 0), b = of<i16>(1, -1, 1, 0, 0, 0, 0, 0);
  EXPECT_EQ(vec::map<i16>(a, b, vec::add_saturating), of<i16>(32767, -32768, 2, 0, 0, 0, 0, 0));
}

TEST(Vec, PackingSaturatesAndPutsTheFirstOperandLow) {
  const Vec128 a = of<i32>(70000, -70000, 5, -5), b = of<i32>(1, 2, 3, 4);
  EXPECT_EQ((vec::pack<i32, i16>(a, b)), of<i16>(32767, -32768, 5, -5, 1, 2, 3, 4));
  EXPECT_EQ((vec::pack<i32, u16>(a, b)), of<u16>(65535, 0, 5, 0, 1, 2, 3, 4));
}

TEST(Vec, AlignRightReachesThroughBothRegisters) {
  const Vec64 low = Vec64::of<u64>({0x0706050403020100}),
              high = Vec64::of<u64>({0x0f0e0d0c0b0a0908});
  EXPECT_EQ(vec::align_right(high, low, 3), Vec64::of<u64>({0x0a09080706050403}));
  EXPECT_EQ(vec::align_right(high, low, 10), Vec64::of<u64>({0x0f0e0d0c0b0a}));
  EXPECT_EQ(vec::align_right(high, low, 16), Vec64{});
}

TEST(Vec, ShiftCountsBeyondTheLaneGiveZerosOrSigns) {
  const Vec128 a = of<u32>(0x80000000, 1, 2, 3);
  EXPECT_EQ(vec::shift_left<u32>(a, 32), Vec128{});
  EXPECT_EQ(vec::shift_right<i32>(a, u64{1} << 40), of<u32>(0xffffffff, 0, 0, 0));
}

TEST(Vec, MinimumPositionIsTheFirstOfEquals) {
  EXPECT_EQ(vec::minimum_position(of<u16>(9, 8, 3, 7, 3, 9, 9, 9)),
            of<u16>(3, 2, 0, 0, 0, 0, 0, 0));
}

#if defined(__x86_64__)

template <class V>
V random_vector(std::mt19937_64& random) {
  static constexpr u8 kInteresting[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x81, 2};
  V v;
  for (u8& byte : v.bytes) {
    const u64 r = random();
    byte = r % 3 ? static_cast<u8>(r >> 8) : kInteresting[r >> 8 & 7];
  }
  return v;
}

template <class V>
std::string text(const V& v) {
  std::string s;
  for (unsigned i = V::kSize; i-- > 0;) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", v.bytes[i]);
    s += two;
  }
  return s;
}

template <class V, class Host, class Ours>
void expect_same(const char* name, Host host, Ours ours) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const V a = random_vector<V>(random);
    V b = random_vector<V>(random);
    if (i % 4 == 0) b = a;
    if (i % 4 == 1) b = V::template of<u64>({random() % 70});  // shift counts
    const V expected = host(a, b), result = ours(a, b);
    if (result == expected) continue;
    FAIL() << text(result) << ", host " << text(expected) << ": " << name << " " << text(a) << " "
           << text(b);
  }
}

#define HOST(V, move, x, instruction)                                                            \
  [](V a, const V& b) {                                                                          \
    asm volatile(move " %0, %%" x "0\n\t" move " %1, %%" x "1\n\t" instruction " %%" x "1, %%" x \
                      "0\n\t" move " %%" x "0, %0\n\temms"                                       \
                 : "+m"(a)                                                                       \
                 : "m"(b)                                                                        \
                 : "xmm0", "xmm1", "mm0", "mm1", "st", "st(1)", "st(2)", "st(3)", "st(4)",       \
                   "st(5)", "st(6)", "st(7)");                                                   \
    return a;                                                                                    \
  }
#define SSE_SAME(instruction, expression)                      \
  expect_same<Vec128>(                                         \
      instruction, HOST(Vec128, "movdqa", "xmm", instruction), \
      [](const Vec128& a, const Vec128& b) { return (void)a, (void)b, (expression); })
#define BOTH_SAME(instruction, expression)                 \
  SSE_SAME(instruction, expression);                       \
  expect_same<Vec64>(                                      \
      instruction, HOST(Vec64, "movq", "mm", instruction), \
      [](const Vec64& a, const Vec64& b) { return (void)a, (void)b, (expression); })

TEST(VecOnHost, AddsAndSubtracts) {
  if (!__builtin_cpu_supports("sse4.2")) GTEST_SKIP() << "this host has no SSE4.2";
  BOTH_SAME("paddb", vec::map<u8>(a, b, vec::add));
  BOTH_SAME("paddw", vec::map<u16>(a, b, vec::add));
  BOTH_SAME("paddd", vec::map<u32>(a, b, vec::add));
  BOTH_SAME("paddq", vec::map<u64>(a, b, vec::add));
  BOTH_SAME("psubb", vec::map<u8>(a, b, vec::sub));
  BOTH_SAME("psubq", vec::map<u64>(a, b, vec::sub));
  BOTH_SAME("paddsb", vec::map<i8>(a, b, vec::add_saturating));
  BOTH_SAME("paddsw", vec::map<i16>(a, b, vec::add_saturating));
  BOTH_SAME("paddusb", vec::map<u8>(a, b, vec::add_saturating));
  BOTH_SAME("paddusw", vec::map<u16>(a, b, vec::add_saturating));
  BOTH_SAME("psubsb", vec::map<i8>(a, b, vec::sub_saturating));
  BOTH_SAME("psubsw", vec::map<i16>(a, b, vec::sub_saturating));
  BOTH_SAME("psubusb", vec::map<u8>(a, b, vec::sub_saturating));
  BOTH_SAME("psubusw", vec::map<u16>(a, b, vec::sub_saturating));
  BOTH_SAME("pavgb", vec::map<u8>(a, b, vec::average));
  BOTH_SAME("pavgw", vec::map<u16>(a, b, vec::average));
  BOTH_SAME("phaddw", vec::horizontal<u16>(a, b, vec::add));
  BOTH_SAME("phaddd", vec::horizontal<u32>(a, b, vec::add));
  BOTH_SAME("phaddsw", vec::horizontal<i16>(a, b, vec::add_saturating));
  BOTH_SAME("phsubw", vec::horizontal<u16>(a, b, vec::sub));
  BOTH_SAME("phsubsw", vec::horizontal<i16>(a, b, vec::sub_saturating));
}

TEST(VecOnHost, Multiplies) {
  if (!__builtin_cpu_supports("sse4.2")) GTEST_SKIP() << "this host has no SSE4.2";
  BOTH_SAME("pmullw", vec::map<u16>(a, b, vec::multiply_low));
  BOTH_SAME("pmulhw", vec::map<i16>(a, b, vec::multiply_high));
  BOTH_SAME("pmulhuw", vec::map<u16>(a, b, vec::multiply_high));
  BOTH_SAME("pmulhrsw", vec::map<i16>(a, b, vec::multiply_high_rounded));
  BOTH_SAME("pmuludq", vec::multiply_even<u32>(a, b));
  BOTH_SAME("pmaddwd", vec::multiply_add_words(a, b));
  BOTH_SAME("pmaddubsw", vec::multiply_add_bytes(a, b));
  BOTH_SAME("psadbw", vec::sum_of_differences(a, b));
  SSE_SAME("pmuldq", vec::multiply_even<i32>(a, b));
  SSE_SAME("pmulld", vec::map<u32>(a, b, vec::multiply_low));
  SSE_SAME("mpsadbw $5,", vec::multiple_sums_of_differences(a, b, 5));
  SSE_SAME("mpsadbw $2,", vec::multiple_sums_of_differences(a, b, 2));
  SSE_SAME("phminposuw", vec::minimum_position(b));
}

TEST(VecOnHost, ComparesAndSelects) {
  if (!__builtin_cpu_supports("sse4.2")) GTEST_SKIP() << "this host has no SSE4.2";
  BOTH_SAME("pcmpeqb", vec::map<u8>(a, b, vec::equal));
  BOTH_SAME("pcmpeqd", vec::map<u32>(a, b, vec::equal));
  BOTH_SAME("pcmpgtb", vec::map<i8>(a, b, vec::greater));
  BOTH_SAME("pcmpgtw", vec::map<i16>(a, b, vec::greater));
  BOTH_SAME("pcmpgtd", vec::map<i32>(a, b, vec::greater));
  BOTH_SAME("pminub", vec::map<u8>(a, b, vec::minimum));
  BOTH_SAME("pmaxsw", vec::map<i16>(a, b, vec::maximum));
  BOTH_SAME("pabsb", vec::map<i8>(b, vec::absolute));
  BOTH_SAME("pabsd", vec::map<i32>(b, vec::absolute));
  BOTH_SAME("psignb", vec::map<i8>(a, b, vec::copy_sign));
  BOTH_SAME("psignd", vec::map<i32>(a, b, vec::copy_sign));
  BOTH_SAME("pandn", vec::map<u64>(a, b, vec::bit_and_not));
  SSE_SAME("pcmpeqq", vec::map<u64>(a, b, vec::equal));
  SSE_SAME("pcmpgtq", vec::map<i64>(a, b, vec::greater));
  SSE_SAME("pminsb", vec::map<i8>(a, b, vec::minimum));
  SSE_SAME("pminud", vec::map<u32>(a, b, vec::minimum));
  SSE_SAME("pmaxsd", vec::map<i32>(a, b, vec::maximum));
  SSE_SAME("pmaxuw", vec::map<u16>(a, b, vec::maximum));
  SSE_SAME("blendps $5,", vec::blend<u32>(a, b, 5));
  SSE_SAME("pblendw $0xa6,", vec::blend<u16>(a, b, 0xa6));
}

TEST(VecOnHost, Shifts) {
  if (!__builtin_cpu_supports("sse4.2")) GTEST_SKIP() << "this host has no SSE4.2";
  BOTH_SAME("psllw", vec::shift_left<u16>(a, b.template lane<u64>(0)));
  BOTH_SAME("pslld", vec::shift_left<u32>(a, b.template lane<u64>(0)));
  BOTH_SAME("psllq", vec::shift_left<u64>(a, b.template lane<u64>(0)));
  BOTH_SAME("psrlw", vec::shift_right<u16>(a, b.template lane<u64>(0)));
  BOTH_SAME("psrlq", vec::shift_right<u64>(a, b.template lane<u64>(0)));
  BOTH_SAME("psraw", vec::shift_right<i16>(a, b.template lane<u64>(0)));
  BOTH_SAME("psrad", vec::shift_right<i32>(a, b.template lane<u64>(0)));
  BOTH_SAME("palignr $5,", vec::align_right(a, b, 5));
  BOTH_SAME("palignr $13,", vec::align_right(a, b, 13));
  SSE_SAME("palignr $31,", vec::align_right(a, b, 31));
}

TEST(VecOnHost, MovesLanes) {
  if (!__builtin_cpu_supports("sse4.2")) GTEST_SKIP() << "this host has no SSE4.2";
  BOTH_SAME("packsswb", (vec::pack<i16, i8>(a, b)));
  BOTH_SAME("packuswb", (vec::pack<i16, u8>(a, b)));
  BOTH_SAME("packssdw", (vec::pack<i32, i16>(a, b)));
  SSE_SAME("packusdw", (vec::pack<i32, u16>(a, b)));
  BOTH_SAME("punpcklbw", vec::unpack_low<u8>(a, b));
  BOTH_SAME("punpcklwd", vec::unpack_low<u16>(a, b));
  BOTH_SAME("punpckhbw", vec::unpack_high<u8>(a, b));
  BOTH_SAME("punpckhdq", vec::unpack_high<u32>(a, b));
  SSE_SAME("punpckhqdq", vec::unpack_high<u64>(a, b));
  BOTH_SAME("pshufb", vec::shuffle_bytes(a, b));
  SSE_SAME("pshufd $0x6c,", vec::shuffle4<u32>(b, 0x6c));
  SSE_SAME("pshuflw $0x6c,", vec::shuffle_low_words(b, 0x6c));
  SSE_SAME("pshufhw $0x93,", vec::shuffle_high_words(b, 0x93));
  SSE_SAME("shufps $0x6c,", vec::shuffle_singles(a, b, 0x6c));
  SSE_SAME("shufpd $2,", vec::shuffle_doubles(a, b, 2));
  SSE_SAME("pmovsxbw", (vec::widen<i8, i16>(b)));
  SSE_SAME("pmovzxbq", (vec::widen<u8, u64>(b)));
  SSE_SAME("pmovsxwq", (vec::widen<i16, i64>(b)));
  SSE_SAME("pmovzxdq", (vec::widen<u32, u64>(b)));
}

#else
TEST(VecOnHost, IsSkipped) {
  if (!__builtin_cpu_supports("sse4.2")) GTEST_SKIP() << "this host has no SSE4.2";
  GTEST_SKIP() << "this host has no SSE to compare with";
}
#endif

}  // namespace
}  // namespace kite
