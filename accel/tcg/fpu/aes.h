// The steps of AES (FIPS 197 5.1, 5.3) on a state of 16 bytes, column by column, as the AES
// instructions take them.
#pragma once

#include "accel/tcg/fpu/vector.h"

namespace kite::aes {

// One round: AESENC, AESENCLAST, AESDEC, AESDECLAST.
Vec128 encrypt(const Vec128& state, const Vec128& key);
Vec128 encrypt_last(const Vec128& state, const Vec128& key);
Vec128 decrypt(const Vec128& state, const Vec128& key);
Vec128 decrypt_last(const Vec128& state, const Vec128& key);

// AESIMC: an encryption key as decryption wants it.
Vec128 inverse_mix_columns(const Vec128& key);
// AESKEYGENASSIST: the nonlinear part of the key schedule, `round_constant` applied.
Vec128 key_generation(const Vec128& key, u8 round_constant);

}  // namespace kite::aes
