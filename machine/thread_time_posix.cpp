#include "machine/thread_time.h"

namespace kite {

std::optional<Nanos> thread_time(pthread_t) {
  return std::nullopt;
}

}  // namespace kite
