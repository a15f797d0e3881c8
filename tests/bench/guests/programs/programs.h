// The programs that run on the host and in a guest, each a piece of work with a digest of its
// result.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace programs {

struct Program {
  const char* name;
  const char* unit;   // of what the time is told
  double units;       // in one run
  bool (*can_run)();  // on this processor; null: on every one
  // One run: the same work and digest each time.
  std::uint64_t (*run)();
  // Looks at all of the result, after the time was taken; null: `run` did.
  std::uint64_t (*check)();
};

// The groups, with the names that tests/bench/programs.cpp has goals for.
std::span<const Program> integer_programs();
std::span<const Program> vector_programs();
std::span<const Program> scalar_programs();
std::span<const Program> x87_programs();
std::span<const Program> fill_programs();
std::span<const Program> kernel_programs();
std::span<const Program> process_programs();

constexpr std::uint64_t kDigest = 0xcbf29ce484222325;

// FNV-1a, a word at a time.
constexpr std::uint64_t mix(std::uint64_t digest, std::uint64_t value) {
  digest = (digest ^ value) * 0x100000001b3;
  return digest ^ digest >> 29;
}

// Marsaglia's xorshift64: the same numbers everywhere.
class Random {
 public:
  constexpr std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

}  // namespace programs
