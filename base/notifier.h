// Notifier: a doorbell between threads or processes, with a descriptor to wait for.
#pragma once

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace kite {

// An eventfd on Linux, a pipe elsewhere. Neither end ever blocks.
class Notifier {
 public:
  static Result<Notifier> create();

  // Any thread or signal handler; keeps errno.
  void signal() const;
  // Takes the signals that have come: how many, or 0. (A pipe that is full counts no more.)
  u64 take() const;

  // Readable while a signal waits. Where it is an eventfd, adding to it signals too.
  int fd() const { return read_.get(); }
  // What another process writes to (eight bytes, the number 1) in order to signal.
  int signal_fd() const { return write_.valid() ? write_.get() : read_.get(); }

 private:
  explicit Notifier(UniqueFd read, UniqueFd write = {})
      : read_(std::move(read)), write_(std::move(write)) {}
  UniqueFd read_, write_;  // write_ only of a pipe
};

}  // namespace kite
