// HostWriter: writing to a descriptor without ever waiting for it and without changing its flags.
#pragma once

#include <sys/types.h>

#include <span>

#include "base/types.h"
#include "base/unique_fd.h"

namespace kite {

// O_NONBLOCK belongs to the open file, which an inherited descriptor shares with other processes (a
// shell and its terminal), so it is never set there. Instead:
//   regular file    write() does not wait for a reader
//   socket          MSG_DONTWAIT
//   pipe            POLLOUT promises room for PIPE_BUF bytes
//   terminal        opened a second time under its name, and that open file is non-blocking; or,
//                   where it has no name here, one byte at a time after POLLOUT
class HostWriter {
 public:
  HostWriter() = default;
  explicit HostWriter(int fd);

  // As write(2); -1 with EAGAIN where it would have to wait.
  ssize_t write(std::span<const u8> bytes);
  // What to poll for POLLOUT.
  int fd() const { return own_.valid() ? own_.get() : fd_; }

 private:
  enum class Kind { kPlain, kSocket, kPipe, kTerminal };
  int fd_ = -1;
  UniqueFd own_;
  Kind kind_ = Kind::kPlain;
};

}  // namespace kite
