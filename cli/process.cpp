#include "cli/process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "cli/commands.h"

namespace kite {

void prepare_process() {
  // Ascending, so that each open() takes the lowest free number: the one that was looked at.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", O_RDWR | O_NOCTTY);
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

void forget_stdin() {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0) return;
  ::dup2(null, STDIN_FILENO);
  ::close(null);
}

void complain(std::string_view message) {
  std::string line = "kite: ";
  for (char letter : message) {
    const bool control = static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
    line += control ? '?' : letter;
  }
  line += '\n';
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int complain(const Error& error) {
  complain(error.message);
  return static_cast<int>(error.kind);
}

int finish_output() {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return 0;
  return complain(fail_errno(ErrorKind::kIo, errno, "cannot write to stdout").value());
}

}  // namespace kite
