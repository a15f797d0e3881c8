#include "accel/tcg/translator/jump_table.h"

#include <random>

#include "base/bits.h"

namespace kite::tcg {

namespace {

// The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators").
u64 mix(u64 value) {
  value = (value ^ value >> 30) * 0xbf58'476d'1ce4'e5b9;
  value = (value ^ value >> 27) * 0x94d0'49bb'1331'11eb;
  return value ^ value >> 31;
}

}  // namespace

JumpTable::JumpTable() : noted_(65536) {
  clear();
  std::random_device device;
  for (u64& word : secret_) word = u64{device()} << 32 | device();
}

void JumpTable::add(u64 linear, u64 context, const u8* code) {
  entries_[(linear + context) % kEntries] = {0 - (linear + context), code};
  note(linear);
}

void JumpTable::forget_code(unsigned offset, const u8* code) {
  for (unsigned i = offset; i < kEntries; i += kPageSize)
    if (entries_[i].code == code) entries_[i] = nothing(i);
}

void JumpTable::clear() {
  entries_.assign(kEntries, nothing(1));
  entries_[0] = nothing(0);
  forget_notes();
}

u64 JumpTable::context(u64 address_space, u16 mode) const {
  const u64 number = mix(mix((address_space << 16 | mode) + secret_[0]) + generation_) ^ secret_[1];
  return align_down(number, kPageSize) | kPageSize;
}

}  // namespace kite::tcg
