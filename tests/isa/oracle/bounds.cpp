#include "tests/isa/oracle/bounds.h"

#include <bit>
#include <cmath>

#include "tests/isa/oracle/rules.h"

namespace kite::oracle {
namespace {

bool is_transcendental(const tcg::Row& row) {
  return is_named(row, {"f2xm1", "fcos", "fsin", "fsincos", "fptan", "fpatan", "fyl2x", "fyl2xp1"});
}

// Each is within 1.5 * 2^-12 of the exact value (SDM 2B "RCPPS", "RSQRTPS"). A result that is tiny
// is zero, one at the edge may be (SDM 2B "RCPPS").
bool is_close(u32 a, u32 b) {
  if ((a ^ b) >> 31) return false;
  const float x = std::bit_cast<float>(a), y = std::bit_cast<float>(b);
  if (!std::isfinite(x) || !std::isfinite(y)) return false;
  constexpr double kSmallest = 0x1p-126, kError = 1.5 / 4096;
  const double larger = std::fmax(std::fabs(x), std::fabs(y));
  if (x == 0 || y == 0) return larger <= kSmallest * (1 + kError);
  return std::fabs(double{x} - double{y}) <= 2.001 * kError * larger;
}

void forgive_reciprocals(const Image& silicon, Image& ours) {
  for (unsigned at = Image::kXmm; at < ours.bytes.size(); at += 4)
    if (is_close(load<u32>(&silicon.bytes[at]), load<u32>(&ours.bytes[at])))
      std::memcpy(&ours.bytes[at], &silicon.bytes[at], 4);
}

// Of numbers of the same sign, in units of the last place.
u64 distance(const u8* a, const u8* b) {
  const u128 x = u128{load<u16>(a + 8) & 0x7fffu} << 63 | (load<u64>(a) & ~bit(63));
  const u128 y = u128{load<u16>(b + 8) & 0x7fffu} << 63 | (load<u64>(b) & ~bit(63));
  const u128 d = x > y ? x - y : y - x;
  return d >> 32 ? ~u64{0} : static_cast<u64>(d);
}

// Within one unit in the last place of the exact value when rounding to nearest, and less than one
// and a half else (SDM 1 8.3.10); C1 says which way it was rounded.
void forgive_transcendental(const Image& silicon, Image& ours) {
  constexpr u16 kC1 = 1u << 9, kPrecision = 1u << 5;
  constexpr u64 kMost = 1;
  const u16 theirs = load<u16>(&silicon.bytes[2]), status = load<u16>(&ours.bytes[2]);
  if (theirs & status & kPrecision)
    store<u16>(&ours.bytes[2], static_cast<u16>((status & ~kC1) | (theirs & kC1)));
  for (unsigned at = Image::kSt; at < Image::kXmm; at += 16) {
    const bool same_sign = (silicon.bytes[at + 9] ^ ours.bytes[at + 9]) < 0x80;
    if (same_sign && distance(&silicon.bytes[at], &ours.bytes[at]) <= kMost)
      std::memcpy(&ours.bytes[at], &silicon.bytes[at], 10);
  }
}

}  // namespace

bool is_approximate(const tcg::Row& row) {
  return is_transcendental(row) || is_named(row, {"rcpps", "rcpss", "rsqrtps", "rsqrtss", "vrcpps",
                                                  "vrcpss", "vrsqrtps", "vrsqrtss"});
}

void forgive_approximation(const tcg::Row& row, const Outcome& silicon, Outcome& ours) {
  if (silicon.vector != Outcome::kWentOn || ours.vector != Outcome::kWentOn) return;
  if (is_transcendental(row)) return forgive_transcendental(silicon.image, ours.image);
  forgive_reciprocals(silicon.image, ours.image);
}

}  // namespace kite::oracle
