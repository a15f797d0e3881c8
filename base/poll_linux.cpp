#include <algorithm>
#include <ctime>

#include "base/poll.h"

namespace kite {

int poll_for(std::span<pollfd> descriptors, Nanos timeout) {
  timeout = std::max<Nanos>(timeout, 0);
  timespec limit = {};
  limit.tv_sec = static_cast<time_t>(timeout / kSecond);
  limit.tv_nsec = static_cast<long>(timeout % kSecond);
  return ::ppoll(descriptors.data(), descriptors.size(), timeout == kNever ? nullptr : &limit,
                 nullptr);
}

}  // namespace kite
