// What the guests do that are moved while they run: work in small pieces, and sleep in between.
#pragma once

#include "firmware/selftest/runtime/guest.h"

namespace guest {

struct Work {
  u64 value = 1;
  u64 sum = 0;
  u8 text[64] = {};
};

inline void piece(Work& work) {
  for (int i = 0; i < 50; ++i) {
    work.value = work.value * 6364136223846793005 + 1442695040888963407;
    work.sum += work.value >> 33;
  }
  const u8* from = reinterpret_cast<const u8*>(&work.value);
  u8* to = work.text + work.value % 56;
  u64 count = 8;
  asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
}

// HLT with values in the vector and x87 registers; answers whether they are there behind it.
inline bool sleeps_well(u64 value) {
  u64 vector = 0, x87 = 0;
  const u64 wanted = value & 0xffff'ffff'ffff;
  asm volatile(
      "movq %2, %%xmm7\n"
      "fninit\n"
      "fildll %3\n"
      "sti\n"
      "hlt\n"
      "cli\n"
      "movq %%xmm7, %0\n"
      "fistpll %1\n"
      : "=r"(vector), "=m"(x87)
      : "r"(value), "m"(wanted)
      : "memory");
  return vector == value && x87 == wanted;
}

inline bool same_in_one_go(const Work& work, u32 pieces) {
  Work again;
  for (u32 i = 0; i < pieces; ++i) piece(again);
  if (work.value != again.value || work.sum != again.sum) return false;
  for (unsigned i = 0; i < sizeof work.text; ++i)
    if (work.text[i] != again.text[i]) return false;
  return true;
}

}  // namespace guest
