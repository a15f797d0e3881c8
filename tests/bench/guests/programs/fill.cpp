// Filling and copying a megabyte.
#include <cstring>

#include "tests/bench/guests/programs/programs.h"

namespace programs {
namespace {

using std::uint64_t, std::uint8_t;

constexpr std::size_t kSize = 1 << 20;
alignas(4096) std::array<uint8_t, kSize> from, to;

uint64_t check() {
  uint64_t digest = kDigest;
  for (std::size_t i = 0; i < kSize; i += 8) {
    uint64_t word;
    std::memcpy(&word, &to[i], 8);
    digest = mix(digest, word);
  }
  to.fill(0xee);  // or the next one may do nothing and be found right
  return digest;
}

// The C library's, which takes what CPUID offers.
uint64_t library_memset() {
  std::memset(to.data(), 0x5a, kSize);
  asm volatile("" ::: "memory");
  return to[kSize - 1];
}

uint64_t rep_stosb() {
  void* target = to.data();
  std::size_t count = kSize;
  asm volatile("rep stosb" : "+D"(target), "+c"(count) : "a"(0x33) : "memory");
  return mix(to[kSize - 1], count);
}

uint64_t rep_stosq() {
  void* target = to.data();
  std::size_t count = kSize / 8;
  asm volatile("rep stosq" : "+D"(target), "+c"(count) : "a"(0x0123456789abcdef) : "memory");
  return mix(to[kSize - 1], count);
}

uint64_t rep_movsb() {
  if (from[1] == 0)
    for (std::size_t i = 0; i < kSize; ++i) from[i] = static_cast<uint8_t>(i + (i >> 8));
  const void* source = from.data();
  void* target = to.data();
  std::size_t count = kSize;
  asm volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count)::"memory");
  return mix(to[kSize - 1], count);
}

constexpr Program kPrograms[] = {
    {"memset", "MB", 1, nullptr, library_memset, check},
    {"rep stosb", "MB", 1, nullptr, rep_stosb, check},
    {"rep stosq", "MB", 1, nullptr, rep_stosq, check},
    {"rep movsb", "MB", 1, nullptr, rep_movsb, check},
};

}  // namespace

std::span<const Program> fill_programs() {
  return kPrograms;
}

}  // namespace programs
