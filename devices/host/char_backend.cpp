#include "devices/host/char_backend.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "devices/host/fd_char_backend.h"
#include "devices/host/socket_char_backend.h"

namespace kite {

namespace {

// Non-blocking so that a FIFO without a reader is an error here and not a hang; this open file is
// nobody else's.
Result<std::unique_ptr<CharBackend>> open_file(const CharConfig& config, EventLoop& loop) {
  const std::string& path = config.path;
  const std::string description = fmt::format("{} file:{}", config.user, path);
  UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666));
  if (!fd.valid()) return fail_errno(ErrorKind::kIo, errno, description);
  auto backend = std::make_unique<FdCharBackend>(loop, description, InputFilter());
  backend->own(std::move(fd), false);
  return backend;
}

}  // namespace

std::unique_ptr<CharBackend> make_fd_backend(EventLoop& loop, int input, int output,
                                             std::string description, InputFilter filter) {
  auto backend = std::make_unique<FdCharBackend>(loop, std::move(description), std::move(filter));
  backend->attach(input, output);
  return backend;
}

Result<std::unique_ptr<CharBackend>> open_char_backend(const CharConfig& config, EventLoop& loop,
                                                       InputFilter stdin_filter) {
  switch (config.kind) {
    case CharConfig::Kind::kStdio:
      return make_fd_backend(loop, STDIN_FILENO, STDOUT_FILENO, config.user + " stdio",
                             std::move(stdin_filter));
    case CharConfig::Kind::kFile:
      return open_file(config, loop);
    case CharConfig::Kind::kUnix:
    case CharConfig::Kind::kTcp:
      return SocketCharBackend::create(config, loop);
    case CharConfig::Kind::kNull:
      break;
  }
  return std::make_unique<NullCharBackend>();
}

}  // namespace kite
