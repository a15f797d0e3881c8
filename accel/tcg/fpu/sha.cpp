#include "accel/tcg/fpu/sha.h"

namespace kite::sha {
namespace {

constexpr u32 choose(u32 x, u32 y, u32 z) {
  return (x & y) ^ (~x & z);
}
constexpr u32 parity(u32 x, u32 y, u32 z) {
  return x ^ y ^ z;
}
constexpr u32 majority(u32 x, u32 y, u32 z) {
  return (x & y) ^ (x & z) ^ (y & z);
}

constexpr u32 big_sigma0(u32 x) {
  return std::rotr(x, 2) ^ std::rotr(x, 13) ^ std::rotr(x, 22);
}
constexpr u32 big_sigma1(u32 x) {
  return std::rotr(x, 6) ^ std::rotr(x, 11) ^ std::rotr(x, 25);
}
constexpr u32 small_sigma0(u32 x) {
  return std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3;
}
constexpr u32 small_sigma1(u32 x) {
  return std::rotr(x, 17) ^ std::rotr(x, 19) ^ x >> 10;
}

}  // namespace

Vec128 sha1_four_rounds(const Vec128& state, const Vec128& words, u8 function) {
  constexpr u32 kConstants[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
  constexpr u32 (*kFunctions[])(u32, u32, u32) = {choose, parity, majority, parity};
  const unsigned n = function & 3;
  u32 a = state.lane<u32>(3), b = state.lane<u32>(2), c = state.lane<u32>(1),
      d = state.lane<u32>(0), e = 0;  // the first word has E in it
  for (unsigned i = 4; i-- > 0;) {
    const u32 next =
        kFunctions[n](b, c, d) + std::rotl(a, 5) + words.lane<u32>(i) + e + kConstants[n];
    e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
  }
  return Vec128::of<u32>({d, c, b, a});
}

Vec128 sha1_next_e(const Vec128& state, const Vec128& words) {
  Vec128 result = words;
  result.set_lane<u32>(3, words.lane<u32>(3) + std::rotl(state.lane<u32>(3), 30));
  return result;
}

Vec128 sha1_message1(const Vec128& a, const Vec128& b) {
  return Vec128::of<u32>({b.lane<u32>(2) ^ a.lane<u32>(0), b.lane<u32>(3) ^ a.lane<u32>(1),
                          a.lane<u32>(0) ^ a.lane<u32>(2), a.lane<u32>(1) ^ a.lane<u32>(3)});
}

Vec128 sha1_message2(const Vec128& a, const Vec128& b) {
  const u32 w16 = std::rotl(a.lane<u32>(3) ^ b.lane<u32>(2), 1);
  const u32 w17 = std::rotl(a.lane<u32>(2) ^ b.lane<u32>(1), 1);
  const u32 w18 = std::rotl(a.lane<u32>(1) ^ b.lane<u32>(0), 1);
  const u32 w19 = std::rotl(a.lane<u32>(0) ^ w16, 1);
  return Vec128::of<u32>({w19, w18, w17, w16});
}

Vec128 sha256_two_rounds(const Vec128& cdgh, const Vec128& abef, const Vec128& words) {
  u32 a = abef.lane<u32>(3), b = abef.lane<u32>(2), c = cdgh.lane<u32>(3), d = cdgh.lane<u32>(2);
  u32 e = abef.lane<u32>(1), f = abef.lane<u32>(0), g = cdgh.lane<u32>(1), h = cdgh.lane<u32>(0);
  for (unsigned i = 0; i < 2; ++i) {
    const u32 t1 = h + big_sigma1(e) + choose(e, f, g) + words.lane<u32>(i);
    const u32 t2 = big_sigma0(a) + majority(a, b, c);
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  return Vec128::of<u32>({f, e, b, a});
}

Vec128 sha256_message1(const Vec128& a, const Vec128& b) {
  return vec::generate<u32, 16>([&](unsigned i) {
    const u32 next = i < 3 ? a.lane<u32>(i + 1) : b.lane<u32>(0);
    return a.lane<u32>(i) + small_sigma0(next);
  });
}

Vec128 sha256_message2(const Vec128& a, const Vec128& b) {
  const u32 w16 = a.lane<u32>(0) + small_sigma1(b.lane<u32>(2));
  const u32 w17 = a.lane<u32>(1) + small_sigma1(b.lane<u32>(3));
  const u32 w18 = a.lane<u32>(2) + small_sigma1(w16);
  const u32 w19 = a.lane<u32>(3) + small_sigma1(w17);
  return Vec128::of<u32>({w16, w17, w18, w19});
}

}  // namespace kite::sha
