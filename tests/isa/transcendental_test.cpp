// The transcendental instructions against the host's own x87, to the unit in the last place.
#include "accel/tcg/fpu/transcendental.h"

#include <gtest/gtest.h>

#include "x87_host.h"

namespace kite::fpu {
namespace {

using namespace test;

TEST(Transcendental, SineOfTheRoundedPiShowsTheProcessorsPi) {
  // sin(pi) with a 66-bit pi, as documented for every x87 (SDM 1 8.3.8).
  const auto result = sine({}, unpack({0xc90fdaa22168c235, 0x4000}));
  EXPECT_EQ(pack(result.result.value), (Float80{0x8000000000000000, 0xbfbf}))
      << text(pack(result.result.value));
}

#if defined(__x86_64__)

HOST_X87(host_sine, "fsin")
HOST_X87(host_cosine, "fcos")
HOST_X87(host_tangent, "fptan\n\tfxch")
HOST_X87(host_exp2, "f2xm1")
HOST_X87(host_arctangent, "fxch\n\tfpatan")
HOST_X87(host_log, "fxch\n\tfyl2x")
HOST_X87(host_log_plus_1, "fxch\n\tfyl2xp1")

i64 ulps(const Float80& a, const Float80& b) {
  const i128 x = i128{a.sign_exponent & 0x7fff} << 63 | (a.significand & ~bit(63));
  const i128 y = i128{b.sign_exponent & 0x7fff} << 63 | (b.significand & ~bit(63));
  const i128 difference = a.sign_exponent >> 15 == b.sign_exponent >> 15 ? x - y : x + y;
  return static_cast<i64>(difference < 0 ? -difference : difference);
}

// The host is allowed one unit in the last place (SDM 1 8.3.10); special cases must be equal.
void expect_close(const char* name, Host host, Ours ours, u64 seed) {
  Operands operands(seed);
  i64 worst = 0;
  int failures = 0, different = 0;
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount && failures < 8; ++i) {
    const Float80 a = operands.extended(), b = operands.extended();
    const HostResult expected = host(0x37f, a, b);
    if (expected.fsw & 0x400) continue;  // C2: out of range, nothing was computed
    const Result result = ours({}, unpack(a), unpack(b));
    const Float80 value = pack(result.value);
    const i64 distance = ulps(value, expected.value);
    if (distance > 2 || result.flags != (expected.fsw & 0x3f)) {
      ++failures;
      ADD_FAILURE() << std::hex << "a " << text(a) << " b " << text(b) << ": " << text(value)
                    << " flags " << int(result.flags) << ", host " << text(expected.value)
                    << " fsw " << expected.fsw;
    }
    worst = std::max(worst, distance);
    different += distance != 0;
  }
  std::printf("%s: at most %lld ulp from the host, %d of %d differ\n", name,
              static_cast<long long>(worst), different, kCount);
}

TEST(TranscendentalOnHost, SineIsClose) {
  expect_close(
      "fsin", host_sine,
      [](const Control& c, const Number& a, const Number&) { return sine(c, a).result; }, 20);
}
TEST(TranscendentalOnHost, CosineIsClose) {
  expect_close(
      "fcos", host_cosine,
      [](const Control& c, const Number& a, const Number&) { return cosine(c, a).result; }, 21);
}
TEST(TranscendentalOnHost, TangentIsClose) {
  expect_close(
      "fptan", host_tangent,
      [](const Control& c, const Number& a, const Number&) { return tangent(c, a).result; }, 22);
}
TEST(TranscendentalOnHost, ArctangentIsClose) {
  expect_close(
      "fpatan", host_arctangent,
      [](const Control& c, const Number& a, const Number& b) { return arctangent(c, a, b); }, 23);
}
TEST(TranscendentalOnHost, PowerOfTwoIsClose) {
  expect_close(
      "f2xm1", host_exp2,
      [](const Control& c, const Number& a, const Number&) { return exp2_minus_1(c, a); }, 24);
}
TEST(TranscendentalOnHost, LogarithmIsClose) {
  expect_close(
      "fyl2x", host_log,
      [](const Control& c, const Number& a, const Number& b) { return y_log2_x(c, a, b); }, 25);
}
TEST(TranscendentalOnHost, LogarithmOfOnePlusIsClose) {
  expect_close(
      "fyl2xp1", host_log_plus_1,
      [](const Control& c, const Number& a, const Number& b) { return y_log2_x_plus_1(c, a, b); },
      26);
}

#else
TEST(TranscendentalOnHost, IsSkipped) {
  GTEST_SKIP() << "this host has no x87 to compare with";
}
#endif

}  // namespace
}  // namespace kite::fpu
