// A pipe in which each signal is eight bytes, as an eventfd takes them; pieces that small are never
// torn (POSIX, PIPE_BUF).
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/notifier.h"

namespace kite {
namespace {

bool prepare(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0 &&
         ::fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0;
}

}  // namespace

Result<Notifier> Notifier::create() {
  int ends[2];
  if (::pipe(ends) < 0)
    return fail_errno(ErrorKind::kUnavailable, errno, "cannot make a notifier's pipe");
  UniqueFd read(ends[0]), write(ends[1]);
  if (!prepare(read.get()) || !prepare(write.get()))
    return fail_errno(ErrorKind::kInternal, errno, "cannot prepare a notifier's pipe");
  return Notifier(std::move(read), std::move(write));
}

void Notifier::signal() const {
  const int saved = errno;
  const u64 one = 1;
  [[maybe_unused]] ssize_t written = ::write(write_.get(), &one, sizeof one);
  errno = saved;
}

u64 Notifier::take() const {
  u64 count = 0;
  u64 signals[64];
  for (;;) {
    const ssize_t bytes = ::read(read_.get(), signals, sizeof signals);
    if (bytes <= 0) return count;
    for (std::size_t i = 0; i < static_cast<std::size_t>(bytes) / sizeof signals[0]; ++i)
      count += signals[i];
  }
}

}  // namespace kite
