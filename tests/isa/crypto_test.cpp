// AES, carry-less multiplication, SHA and GFNI against published answers, so that hosts without
// them check them too.
#include <gtest/gtest.h>

#include "accel/tcg/fpu/aes.h"
#include "accel/tcg/fpu/galois.h"
#include "accel/tcg/fpu/sha.h"

namespace kite {
namespace {

Vec128 bytes_of(std::string_view hex) {
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  Vec128 result;
  for (unsigned i = 0; i < 16; ++i)
    result.bytes[i] = static_cast<u8>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  return result;
}

// Lanes from the upper to the lower, as the manual prints a register.
Vec128 lanes_down(u32 a, u32 b, u32 c, u32 d) {
  return Vec128::of<u32>({d, c, b, a});
}
Vec128 sum(const Vec128& a, const Vec128& b) {
  return vec::map<u32>(a, b, vec::add);
}

// --- AES: FIPS 197 appendix B -------------------------------------------------------------------
std::array<Vec128, 11> key_schedule(const Vec128& key) {
  constexpr u8 kRoundConstants[] = {1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36};
  std::array<Vec128, 11> keys = {key};
  for (unsigned i = 0; i < 10; ++i) {
    u32 word = aes::key_generation(keys[i], kRoundConstants[i]).lane<u32>(3);
    for (unsigned k = 0; k < 4; ++k) keys[i + 1].set_lane<u32>(k, word ^= keys[i].lane<u32>(k));
  }
  return keys;
}

const Vec128 kAesKey = bytes_of("2b7e151628aed2a6abf7158809cf4f3c");
const Vec128 kAesPlain = bytes_of("3243f6a8885a308d313198a2e0370734");
const Vec128 kAesCipher = bytes_of("3925841d02dc09fbdc118597196a0b32");

TEST(Aes, TheKeyScheduleIsThatOfFips197) {
  EXPECT_EQ(key_schedule(kAesKey)[10], bytes_of("d014f9a8c9ee2589e13f0cc8b6630ca6"));
}

TEST(Aes, EncryptsTheExampleOfFips197) {
  const auto keys = key_schedule(kAesKey);
  Vec128 state = vec::map<u64>(kAesPlain, keys[0], vec::bit_xor);
  for (unsigned i = 1; i < 10; ++i) state = aes::encrypt(state, keys[i]);
  EXPECT_EQ(aes::encrypt_last(state, keys[10]), kAesCipher);
}

TEST(Aes, DecryptsTheExampleOfFips197) {
  const auto keys = key_schedule(kAesKey);
  Vec128 state = vec::map<u64>(kAesCipher, keys[10], vec::bit_xor);
  for (unsigned i = 9; i > 0; --i) state = aes::decrypt(state, aes::inverse_mix_columns(keys[i]));
  EXPECT_EQ(aes::decrypt_last(state, keys[0]), kAesPlain);
}

// --- SHA of "abc": FIPS 180-4 -------------------------------------------------------------------
TEST(Sha, Sha1OfAbc) {
  const Vec128 start = lanes_down(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const Vec128 start_e = lanes_down(0xc3d2e1f0, 0, 0, 0);
  std::array<Vec128, 20> m;
  m[0] = lanes_down(0x61626380, 0, 0, 0);
  m[3] = lanes_down(0, 0, 0, 24);
  for (unsigned i = 4; i < 20; ++i)
    m[i] = sha::sha1_message2(
        vec::map<u32>(sha::sha1_message1(m[i - 4], m[i - 3]), m[i - 2], vec::bit_xor), m[i - 1]);
  Vec128 state = start, before = start;
  for (unsigned i = 0; i < 20; ++i) {
    const Vec128 words = i == 0 ? sum(start_e, m[0]) : sha::sha1_next_e(before, m[i]);
    before = state;
    state = sha::sha1_four_rounds(state, words, static_cast<u8>(i / 5));
  }
  EXPECT_EQ(sum(state, start), lanes_down(0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c));
  EXPECT_EQ(sha::sha1_next_e(before, start_e).lane<u32>(3), 0x9cd0d89du);
}

constexpr u32 kSha256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

TEST(Sha, Sha256OfAbc) {
  const Vec128 start_abef = lanes_down(0x6a09e667, 0xbb67ae85, 0x510e527f, 0x9b05688c);
  const Vec128 start_cdgh = lanes_down(0x3c6ef372, 0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
  std::array<Vec128, 16> m;
  m[0] = Vec128::of<u32>({0x61626380, 0, 0, 0});
  m[3] = Vec128::of<u32>({0, 0, 0, 24});
  for (unsigned i = 4; i < 16; ++i) {
    const Vec128 part =
        sum(sha::sha256_message1(m[i - 4], m[i - 3]), vec::align_right(m[i - 1], m[i - 2], 4));
    m[i] = sha::sha256_message2(part, m[i - 1]);
  }
  Vec128 abef = start_abef, cdgh = start_cdgh;
  for (unsigned i = 0; i < 16; ++i) {
    const u32* k = kSha256 + 4 * i;
    const Vec128 words = sum(m[i], Vec128::of<u32>({k[0], k[1], k[2], k[3]}));
    const Vec128 middle = sha::sha256_two_rounds(cdgh, abef, words);
    cdgh = middle;
    abef = sha::sha256_two_rounds(abef, middle, vec::shift_bytes_right(words, 8));
  }
  EXPECT_EQ(sum(abef, start_abef), lanes_down(0xba7816bf, 0x8f01cfea, 0xb00361a3, 0x96177a9c));
  EXPECT_EQ(sum(cdgh, start_cdgh), lanes_down(0x414140de, 0x5dae2223, 0xb410ff61, 0xf20015ad));
}

// --- carry-less multiplication: the example of Intel's paper on GCM ------------------------------
TEST(Galois, CarrylessProductsOfEachPairOfHalves) {
  const Vec128 a = Vec128::of<u64>({0x63746f725d53475d, 0x7b5b546573745665});
  const Vec128 b = Vec128::of<u64>({0x5b477565726f6e5d, 0x4869285368617929});
  const auto product = [](u64 high, u64 low) { return Vec128::of<u64>({low, high}); };
  EXPECT_EQ(galois::carryless_multiply(a, b, 0x00),
            product(0x1d4d84c85c3440c0, 0x929633d5d36f0451));
  EXPECT_EQ(galois::carryless_multiply(a, b, 0x01),
            product(0x1a2bf6db3a30862f, 0xbabf262df4b7d5c9));
  EXPECT_EQ(galois::carryless_multiply(a, b, 0x10),
            product(0x1bd17c8d556ab5a1, 0x7fa540ac2a281315));
  EXPECT_EQ(galois::carryless_multiply(a, b, 0xff),
            product(0x1d1e1f2c592e7c45, 0xd66ee03e410fd4ed));
}

// --- GF(2^8)
// --------------------------------------------------------------------------------------
TEST(Galois, MultipliesAsFips197Does) {
  EXPECT_EQ(galois::multiply(0x57, 0x83), 0xc1);
  EXPECT_EQ(galois::multiply(0x57, 0x13), 0xfe);
}

TEST(Galois, EveryByteTimesItsInverseIsOne) {
  EXPECT_EQ(galois::inverse(0), 0);
  for (unsigned i = 1; i < 256; ++i)
    EXPECT_EQ(galois::multiply(static_cast<u8>(i), galois::inverse(static_cast<u8>(i))), 1) << i;
}

TEST(Galois, AffineMapsTakeTheirRowsFromTheUpperByteDown) {
  constexpr u64 kIdentity = 0x0102040810204080, kReverse = 0x8040201008040201;
  for (u8 x : {0x01, 0x35, 0x80, 0xff}) {
    EXPECT_EQ(galois::affine(kIdentity, x, 0), x);
    EXPECT_EQ(galois::affine(kIdentity, x, 0x5a), x ^ 0x5a);
  }
  EXPECT_EQ(galois::affine(kReverse, 0x35, 0), 0xac);
  const Vec128 matrices = Vec128::of<u64>({kIdentity, kReverse});
  const Vec128 mapped = galois::affine_bytes(Vec128::of<u64>({0x35, 0x35}), matrices, 0);
  EXPECT_EQ(mapped, Vec128::of<u64>({0x35, 0xac}));
}

}  // namespace
}  // namespace kite
