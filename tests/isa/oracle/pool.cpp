// Images and memory: numbers of every kind, so that special ones meet each other often.
#include "tests/isa/float_operands.h"
#include "tests/isa/oracle/generate.h"

namespace kite::oracle {
namespace {

constexpr u64 kIntegers[] = {0,
                             1,
                             0x7f,
                             0x80,
                             0xff,
                             0x7fff,
                             0x8000,
                             0xffff,
                             0x7fffffff,
                             0x80000000,
                             0xffffffff,
                             0x7fffffffffffffff,
                             0x8000000000000000,
                             ~u64{0},
                             0x8000800080008000,
                             0x7f7f7f7f80808080,
                             0x7fff80007fff8000};

u64 any_word(test::Operands& operands) {
  const u64 r = operands.bits();
  switch (r % 5) {
    case 0:
      return operands.double_bits();
    case 1:
      return operands.single_bits() | u64{operands.single_bits()} << 32;
    case 2:
      return kIntegers[(r >> 8) % std::size(kIntegers)];
    default:
      return operands.bits();
  }
}

void put_words(u8* to, unsigned bytes, test::Operands& operands) {
  // Registers of one kind throughout are as frequent as mixed ones.
  const u64 kind = operands.bits() % 8;
  for (unsigned i = 0; i < bytes; i += 8) {
    u64 value = any_word(operands);
    if (kind == 2) value &= 0x0000007f0000007f;  // indices that a gather may follow
    if (kind == 3) value &= 0x00000000000001ff;
    if (kind == 0) value = operands.double_bits();
    if (kind == 1) value = operands.single_bits() | u64{operands.single_bits()} << 32;
    store<u64>(to + i, value);
  }
}

// ES and B say whether an exception waits that is not masked (SDM 1 8.1.3.3).
u16 consistent_status(u16 fsw, u16 fcw) {
  fsw = static_cast<u16>(fsw & ~0x8080);
  return fsw & ~fcw & 0x3f ? static_cast<u16>(fsw | 0x8080) : fsw;
}

void fill_image(Image& image, test::Operands& operands) {
  u8* bytes = image.bytes.data();
  const u64 r = operands.bits();
  constexpr u16 kPrecisions[] = {0x300, 0x000, 0x200, 0x300};
  const u16 masks = r % 4 ? 0x3f : static_cast<u16>(r >> 8 & 0x3f);
  const u16 fcw = static_cast<u16>(0x40 | masks | kPrecisions[r >> 16 & 3] | (r >> 20 & 3) << 10);
  u16 fsw = static_cast<u16>(r >> 32 & 0x7f7f);
  if (r >> 24 & 15) fsw = static_cast<u16>(fsw & ~0x3f) | (fsw & fcw & 0x3f);  // rarely one waits
  store<u16>(bytes, fcw);
  store<u16>(bytes + 2, consistent_status(fsw, fcw));
  bytes[4] = r >> 28 & 1 ? 0xff : static_cast<u8>(r >> 48);
  const u64 s = operands.bits();
  u32 mxcsr = 0x1f80 | static_cast<u32>(s & 0x3f) | static_cast<u32>(s >> 8 & 3) << 13;
  if (s >> 16 & 1)
    mxcsr |= static_cast<u32>(s >> 17 & 1) << 6 | static_cast<u32>(s >> 18 & 1) << 15;
  if ((s >> 20 & 3) == 0) mxcsr &= ~static_cast<u32>(s >> 24 & 0x1f80);
  store<u32>(bytes + Image::kMxcsr, mxcsr);
  for (unsigned i = 0; i < 8; ++i) {
    const fpu::Float80 value = operands.extended();
    store<u64>(bytes + Image::kSt + 16 * i, value.significand);
    store<u16>(bytes + Image::kSt + 16 * i + 8, value.sign_exponent);
    if (operands.bits() % 4 == 0) put_words(bytes + Image::kSt + 16 * i, 8, operands);
  }
  for (unsigned i = 0; i < 16; ++i) {
    put_words(bytes + Image::kXmm + 16 * i, 16, operands);
    put_words(bytes + Image::kYmm + 16 * i, 16, operands);
  }
  const u64 t = operands.bits();
  store<u16>(bytes + Image::kFop, static_cast<u16>(t & 0x7ff));
  store<u64>(bytes + Image::kFip, sign_extend(t >> 16, 48));
  store<u64>(bytes + Image::kFdp, sign_extend(operands.bits() >> 16, 48));
  store<u64>(bytes + Image::kHeader, 7);  // XSTATE_BV: x87, SSE, AVX
}

// An area for XRSTOR, FXRSTOR, FRSTOR: in the standard form or compacted, which has the same places
// when there is nothing behind AVX state; some components in their initial state; rarely not valid.
void put_state_area(Pool& pool, test::Operands& operands) {
  const u64 r = operands.bits();
  u8* area = &pool.page[kStateArea];
  std::memcpy(area, pool.images[r % 64].bytes.data(), sizeof(Image));
  const u64 present = r >> 8 & 3 ? 7 : r >> 10 & 7;
  store<u64>(area + Image::kHeader, present);
  if ((r >> 16 & 3) == 0) store<u64>(area + Image::kHeader + 8, bit(63) | present | (r >> 18 & 7));
  constexpr u64 kReservedMxcsr = bit(20), kNoComponent = bit(62);
  switch (r >> 24 & 15) {
    case 0:
      return store<u64>(area + Image::kHeader, present | kNoComponent);
    case 1:
      area[Image::kHeader + 16 + (r >> 32) % 48] = 1;
      return;
    case 2:
      return store<u32>(area + Image::kMxcsr, kReservedMxcsr);
    default:
      return;
  }
}

}  // namespace

u16 any_selector(u64 r) {
  // Linux has entries from 1 to 15 in its table, and none in a local one.
  constexpr u16 kSelectors[] = {0,    1,    3,    0x08, 0x0b, 0x10, 0x13, 0x18,  0x1b, 0x20,
                                0x23, 0x28, 0x2b, 0x2a, 0x30, 0x33, 0x38, 0x40,  0x43, 0x4b,
                                0x50, 0x63, 0x6b, 0x73, 0x80, 0x07, 0x0f, 0xfff8};
  return kSelectors[r % std::size(kSelectors)];
}

void fill_pool(Pool& pool, u64 seed) {
  test::Operands operands(seed);
  for (Image& image : pool.images) {
    image = {};
    fill_image(image, operands);
  }
  for (unsigned i = 0; i < kPageSize; i += 16) {
    u8* to = &pool.page[i];
    put_words(to, 16, operands);
    const u64 r = operands.bits();
    if (r % 8 == 0) {
      const fpu::Float80 value = operands.extended();
      store<u64>(to, value.significand);
      store<u16>(to + 8, value.sign_exponent);
    }
    // Where to go, for indirect branches and returns.
    if (i % 64 == 16)
      store<u64>(to + 8, kCodeBase + (r >> 8) % kSlots * kSlotSize + kTail + (r >> 32) % 10);
    // Selectors, and far pointers to whose offsets do not matter.
    if (i % 64 == 32)
      for (unsigned at = 0; at < 16; at += 2) store<u16>(to + at, any_selector(r >> 40));
    // Zeros and ones, for comparisons and masks.
    if (i % 64 == 0) store<u64>(to, 0), store<u64>(to + 8, ~u64{0});
  }
  put_state_area(pool, operands);
}

}  // namespace kite::oracle
