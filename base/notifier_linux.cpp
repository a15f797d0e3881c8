#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/notifier.h"

namespace kite {

Result<Notifier> Notifier::create() {
  UniqueFd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd.valid()) return fail_errno(ErrorKind::kUnavailable, errno, "cannot make an eventfd");
  return Notifier(std::move(fd));
}

// A counter at its limit refuses, and is signalled all the same.
void Notifier::signal() const {
  const int saved = errno;
  const u64 one = 1;
  [[maybe_unused]] ssize_t written = ::write(read_.get(), &one, sizeof one);
  errno = saved;
}

u64 Notifier::take() const {
  u64 count = 0;
  return ::read(read_.get(), &count, sizeof count) == sizeof count ? count : 0;
}

}  // namespace kite
