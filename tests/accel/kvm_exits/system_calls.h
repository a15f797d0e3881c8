// Counts the system calls of a child by ptrace(2).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/types.h"

namespace kite::test {

struct SystemCalls {
  std::string refused;  // why nothing could be counted; else empty
  int status = -1;      // of the child's _exit, or 128 + the signal that ended it
  // By number and, for ioctl, request (else 0).
  std::map<std::pair<long, u64>, u64> counts;
};

// Runs `body` in a forked child and counts what it calls between the first two calls of mark().
SystemCalls count_system_calls(const std::function<int()>& body);
void mark();

}  // namespace kite::test
