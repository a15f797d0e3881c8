// ppoll(2) is missing on macOS; pselect(2) is everywhere, but takes only low descriptors and knows
// no POLLNVAL. So short waits, where precision matters, use pselect, and everything else poll.
#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/poll.h"

namespace kite {
namespace {

constexpr Nanos kShortWait = 20 * kMillisecond;

int poll_coarsely(std::span<pollfd> descriptors, Nanos timeout) {
  constexpr Nanos kLongest = 3600 * kSecond;
  int limit = -1;
  if (timeout != kNever) {
    limit = static_cast<int>((std::min(timeout, kLongest) + kMillisecond - 1) / kMillisecond);
  }
  return ::poll(descriptors.data(), static_cast<nfds_t>(descriptors.size()), limit);
}

bool fits_select(std::span<const pollfd> descriptors) {
  return std::all_of(descriptors.begin(), descriptors.end(), [](const pollfd& one) {
    return one.fd >= 0 && one.fd < FD_SETSIZE && (one.events & ~(POLLIN | POLLOUT)) == 0;
  });
}

int wait_precisely(std::span<const pollfd> descriptors, Nanos timeout) {
  fd_set reading, writing;
  FD_ZERO(&reading);
  FD_ZERO(&writing);
  int highest = -1;
  for (const pollfd& one : descriptors) {
    if (one.events & POLLIN) FD_SET(one.fd, &reading);
    if (one.events & POLLOUT) FD_SET(one.fd, &writing);
    highest = std::max(highest, one.fd);
  }
  timespec limit = {};
  limit.tv_nsec = static_cast<long>(timeout);
  return ::pselect(highest + 1, &reading, &writing, nullptr, &limit, nullptr);
}

}  // namespace

int poll_for(std::span<pollfd> descriptors, Nanos timeout) {
  timeout = std::max<Nanos>(timeout, 0);
  if (timeout == 0 || timeout > kShortWait || !fits_select(descriptors)) {
    return poll_coarsely(descriptors, timeout);
  }
  if (wait_precisely(descriptors, timeout) < 0 && errno == EINTR) return -1;
  return poll_coarsely(descriptors, 0);  // poll's own words for what is ready
}

}  // namespace kite
