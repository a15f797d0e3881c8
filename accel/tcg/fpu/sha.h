// The SHA-1 and SHA-256 instructions (SDM 2B "SHA1RNDS4" and what follows it; FIPS 180-4).
#pragma once

#include "accel/tcg/fpu/vector.h"

namespace kite::sha {

// SHA-1: the state A…D stands from the upper lane to the lower, and so do W0…W3.
Vec128 sha1_four_rounds(const Vec128& state, const Vec128& words, u8 function);
Vec128 sha1_next_e(const Vec128& state, const Vec128& words);
Vec128 sha1_message1(const Vec128& a, const Vec128& b);
Vec128 sha1_message2(const Vec128& a, const Vec128& b);

// SHA-256: CDGH and ABEF from the upper lane to the lower; `words` has W + K in its two lower
// lanes.
Vec128 sha256_two_rounds(const Vec128& cdgh, const Vec128& abef, const Vec128& words);
Vec128 sha256_message1(const Vec128& a, const Vec128& b);
Vec128 sha256_message2(const Vec128& a, const Vec128& b);

}  // namespace kite::sha
