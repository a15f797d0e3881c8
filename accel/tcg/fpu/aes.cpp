#include "accel/tcg/fpu/aes.h"

#include "accel/tcg/fpu/galois.h"

namespace kite::aes {
namespace {

using Bytes = std::array<u8, 256>;
using Columns = std::array<u32, 256>;

// SubBytes: the inverse in GF(2^8), then an affine map (FIPS 197 5.1.1).
constexpr Bytes make_sbox() {
  Bytes box{};
  for (unsigned i = 0; i < 256; ++i)
    box[i] = galois::affine(0xf1e3c78f1f3e7cf8, galois::inverse(static_cast<u8>(i)), 0x63);
  return box;
}
constexpr Bytes kSbox = make_sbox();
static_assert(kSbox[0x53] == 0xed);  // the example of FIPS 197 5.1.1

constexpr Bytes make_inverse_sbox() {
  Bytes box{};
  for (unsigned i = 0; i < 256; ++i) box[kSbox[i]] = static_cast<u8>(i);
  return box;
}
constexpr Bytes kInverseSbox = make_inverse_sbox();

// What a byte of row 0 adds to its column; a byte of row r adds the same, r bytes further.
constexpr Columns make_columns(std::array<u8, 4> factors) {
  Columns columns{};
  for (unsigned i = 0; i < 256; ++i)
    for (unsigned r = 0; r < 4; ++r)
      columns[i] |= u32{galois::multiply(static_cast<u8>(i), factors[r])} << (8 * r);
  return columns;
}
constexpr Columns kMix = make_columns({2, 1, 1, 3});
constexpr Columns kInverseMix = make_columns({14, 9, 13, 11});

// Row r moves by r columns to the left, or with `kInverse` to the right.
template <bool kInverse>
Vec128 shift_rows_and_substitute(const Vec128& state) {
  const Bytes& box = kInverse ? kInverseSbox : kSbox;
  return vec::generate<u8, 16>([&](unsigned i) {
    const unsigned row = i % 4, column = kInverse ? i / 4 - row : i / 4 + row;
    return box[state.bytes[row + 4 * (column & 3)]];
  });
}

Vec128 mix_columns(const Vec128& state, const Columns& mix) {
  return vec::generate<u32, 16>([&](unsigned column) {
    u32 sum = 0;
    for (unsigned row = 0; row < 4; ++row)
      sum ^= std::rotl(mix[state.bytes[4 * column + row]], static_cast<int>(8 * row));
    return sum;
  });
}

Vec128 add_key(const Vec128& state, const Vec128& key) {
  return vec::map<u64>(state, key, vec::bit_xor);
}

u32 substitute_word(u32 word) {
  u32 result = 0;
  for (unsigned i = 0; i < 32; i += 8) result |= u32{kSbox[word >> i & 0xff]} << i;
  return result;
}

}  // namespace

Vec128 encrypt(const Vec128& state, const Vec128& key) {
  return add_key(mix_columns(shift_rows_and_substitute<false>(state), kMix), key);
}
Vec128 encrypt_last(const Vec128& state, const Vec128& key) {
  return add_key(shift_rows_and_substitute<false>(state), key);
}
Vec128 decrypt(const Vec128& state, const Vec128& key) {
  return add_key(mix_columns(shift_rows_and_substitute<true>(state), kInverseMix), key);
}
Vec128 decrypt_last(const Vec128& state, const Vec128& key) {
  return add_key(shift_rows_and_substitute<true>(state), key);
}

Vec128 inverse_mix_columns(const Vec128& key) {
  return mix_columns(key, kInverseMix);
}

Vec128 key_generation(const Vec128& key, u8 round_constant) {
  const u32 one = substitute_word(key.lane<u32>(1)), three = substitute_word(key.lane<u32>(3));
  return Vec128::of<u32>(
      {one, std::rotr(one, 8) ^ round_constant, three, std::rotr(three, 8) ^ round_constant});
}

}  // namespace kite::aes
