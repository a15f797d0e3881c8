#include <time.h>

#include "machine/thread_time.h"

namespace kite {

std::optional<Nanos> thread_time(pthread_t thread) {
  clockid_t clock;
  timespec used{};
  if (::pthread_getcpuclockid(thread, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    return std::nullopt;
  return Nanos{used.tv_sec} * kSecond + used.tv_nsec;
}

}  // namespace kite
