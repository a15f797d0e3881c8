#include "devices/host/host_writer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0  // macOS; the program ignores SIGPIPE
#endif

namespace kite {

namespace {

bool ready(int fd) {
  pollfd descriptor{fd, POLLOUT, 0};
  return ::poll(&descriptor, 1, 0) > 0;  // an error shows in write()
}

}  // namespace

HostWriter::HostWriter(int fd) : fd_(fd) {
  struct stat status;
  if (fd < 0 || ::fstat(fd, &status) != 0) return;
  if (S_ISSOCK(status.st_mode)) kind_ = Kind::kSocket;
  if (S_ISFIFO(status.st_mode)) kind_ = Kind::kPipe;
  if (!S_ISCHR(status.st_mode) || !::isatty(fd)) return;
  kind_ = Kind::kTerminal;
  char name[PATH_MAX];
  if (::ttyname_r(fd, name, sizeof name) != 0) return;
  own_.reset(::open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (own_.valid()) kind_ = Kind::kPlain;
}

ssize_t HostWriter::write(std::span<const u8> bytes) {
  switch (kind_) {
    case Kind::kSocket:
      return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::kPipe:
    case Kind::kTerminal: {
      if (!ready(fd_)) return errno = EAGAIN, -1;
      const std::size_t most = kind_ == Kind::kPipe ? _POSIX_PIPE_BUF : 1;
      return ::write(fd_, bytes.data(), std::min(bytes.size(), most));
    }
    case Kind::kPlain:
      break;
  }
  return ::write(fd(), bytes.data(), bytes.size());
}

}  // namespace kite
