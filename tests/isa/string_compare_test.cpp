// PCMPxSTRx against the host's own, for every immediate (x86-64 hosts), and known vectors.
#include "accel/tcg/fpu/string_compare.h"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <utility>

namespace kite {
namespace {

Vec128 of_text(std::string_view text) {
  Vec128 v;
  std::copy(text.begin(), text.end(), v.bytes.begin());
  return v;
}

StringCompare implicitly(const Vec128& a, const Vec128& b, u8 control) {
  return compare_strings(a, implicit_length(a, control), b, implicit_length(b, control), control);
}

TEST(StringCompare, FindsASubstring) {
  const StringCompare result = implicitly(of_text("nee"), of_text("in a needle"), 0x0c);
  EXPECT_EQ(result.index(0x0c), 5u);
  EXPECT_TRUE(result.carry);
  EXPECT_TRUE(result.zero);
  EXPECT_TRUE(result.sign);
}

TEST(StringCompare, FindsTheFirstByteOutsideRanges) {
  EXPECT_EQ(implicitly(of_text("azAZ"), of_text("Kite 2"), 0x14).index(0x14), 4u);
}

TEST(StringCompare, WithoutAMatchTheIndexIsTheNumberOfElements) {
  EXPECT_EQ(implicitly(of_text("x"), of_text("abc"), 0x00).index(0), 16u);
  EXPECT_EQ(implicitly(of_text("x"), of_text("abc"), 0x01).index(1), 8u);
}

#if defined(__x86_64__)

struct HostResult {
  u32 index;
  u64 flags;
  Vec128 mask;
};

template <int kControl>
__attribute__((target("sse4.2"))) HostResult host_implicit(const Vec128& a, const Vec128& b) {
  HostResult r;
  asm volatile(
      "movdqa %3, %%xmm1\n\tpcmpistri %5, %4, %%xmm1\n\tpushfq\n\tpopq %1\n\t"
      "pcmpistrm %5, %4, %%xmm1\n\tmovdqu %%xmm0, %2"
      : "=&c"(r.index), "=&r"(r.flags), "=m"(r.mask)
      : "m"(a), "m"(b), "i"(kControl)
      : "xmm0", "xmm1", "cc");
  return r;
}
template <int kControl>
__attribute__((target("sse4.2"))) HostResult host_explicit(const Vec128& a, i32 a_length,
                                                           const Vec128& b, i32 b_length) {
  HostResult r;
  asm volatile(
      "movdqa %3, %%xmm1\n\tpcmpestri %5, %4, %%xmm1\n\tpushfq\n\tpopq %1\n\t"
      "pcmpestrm %5, %4, %%xmm1\n\tmovdqu %%xmm0, %2"
      : "=&c"(r.index), "=&r"(r.flags), "=m"(r.mask)
      : "m"(a), "m"(b), "i"(kControl), "a"(a_length), "d"(b_length)
      : "xmm0", "xmm1", "cc");
  return r;
}

void expect_same(const StringCompare& ours, const HostResult& host, u8 control) {
  const u64 flags = (ours.carry ? 1 : 0) | (ours.zero ? 0x40 : 0) | (ours.sign ? 0x80 : 0) |
                    (ours.overflow ? 0x800 : 0);
  ASSERT_EQ(ours.index(control), host.index) << "control " << int(control);
  ASSERT_EQ(flags, host.flags & 0x8d5) << "control " << int(control);
  ASSERT_EQ(ours.mask(control), host.mask) << "control " << int(control);
}

template <int kControl>
void check(const Vec128& a, i32 a_length, const Vec128& b, i32 b_length) {
  expect_same(implicitly(a, b, kControl), host_implicit<kControl>(a, b), kControl);
  expect_same(compare_strings(a, explicit_length(a_length, kControl), b,
                              explicit_length(b_length, kControl), kControl),
              host_explicit<kControl>(a, a_length, b, b_length), kControl);
}

template <int... kControls>
void check_all(std::integer_sequence<int, kControls...>, const Vec128& a, i32 a_length,
               const Vec128& b, i32 b_length) {
  (check<kControls>(a, a_length, b, b_length), ...);
}

TEST(StringCompareOnHost, AgreesForEveryImmediate) {
  if (!__builtin_cpu_supports("sse4.2")) GTEST_SKIP() << "this host has no SSE4.2";
  std::mt19937_64 random(3);
  for (int i = 0; i < 500; ++i) {
    Vec128 a, b;
    for (u8& byte : a.bytes) byte = static_cast<u8>(random() % 5 + (random() % 8 == 0 ? 0x7e : 0));
    for (u8& byte : b.bytes) byte = static_cast<u8>(random() % 5 + (random() % 8 == 0 ? 0x7e : 0));
    if (i % 2)
      for (u8& byte : b.bytes) byte |= 1;
    const i32 a_length = static_cast<i32>(random() % 41) - 20;
    const i32 b_length = static_cast<i32>(random() % 41) - 20;
    check_all(std::make_integer_sequence<int, 128>(), a, a_length, b, b_length);
    if (HasFatalFailure()) return;
  }
}

#else
TEST(StringCompareOnHost, IsSkipped) {
  GTEST_SKIP() << "this host has no SSE4.2 to compare with";
}
#endif

}  // namespace
}  // namespace kite
