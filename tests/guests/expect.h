// What a test guest says when it fails: which expectation, what it got, what it wanted.
#pragma once

#include "firmware/selftest/runtime/guest.h"

namespace guest {

inline int expectations;  // so far; the number of the failing one is the guest's exit value

inline void say_where(const char* file, int line) {
  print(file);
  print(":");
  print_decimal(static_cast<u64>(line));
  print(": ");
}

inline bool meets(const char* file, int line, const char* what, u64 got, u64 wanted) {
  ++expectations;
  if (got == wanted) return true;
  say_where(file, line);
  return same(what, got, wanted);
}

// Vector and error code in one number, to compare and to read: 0xe00000003 is #PF(3).
inline u64 what_trapped(const Trap& trap) {
  return trap.frame.vector == kNoTrap ? kNoTrap : trap.frame.vector << 32 | trap.frame.error;
}
constexpr u64 fault(u64 vector, u64 error = 0) {
  return vector << 32 | error;
}

}  // namespace guest

#define EXPECT_SAME(got, wanted)                                                   \
  do {                                                                             \
    if (!guest::meets(__FILE_NAME__, __LINE__, #got, static_cast<guest::u64>(got), \
                      static_cast<guest::u64>(wanted)))                            \
      return guest::expectations > 100 ? 100 : guest::expectations;                \
  } while (0)
#define EXPECT(condition) EXPECT_SAME(!!(condition), 1)
// For guests made of several functions that return 0 or a number.
#define RUN(part)                         \
  do {                                    \
    if (int failed = part) return failed; \
  } while (0)
