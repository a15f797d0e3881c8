// What the runners of native instructions share: a child process that does batches, and what it may
// still do by then. Linux only.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <functional>
#include <span>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace kite::isa {

// A process that is told to begin by one byte and answers with one when a batch is done. Cases and
// outcomes are in memory that both share.
class Child {
 public:
  Child() = default;
  ~Child() { stop(); }
  Child(const Child&) = delete;

  // `serve` is the child: it never returns.
  Result<> start(const std::function<void(int commands, int answers)>& serve);
  void stop();
  // False: it died, or hangs.
  bool do_batch();

 private:
  pid_t process_ = -1;
  UniqueFd to_child_, from_child_;
};

// Maps fresh memory at this address and nowhere else. `sharing`: MAP_SHARED or MAP_PRIVATE.
Result<> map_at(u64 address, u64 size, int sharing);

// The child's: `handler`, on a stack of its own, for every signal that an instruction can raise and
// for `another`, if it is one; and any system call but these becomes SIGSYS.
void catch_signals(void (*handler)(int, siginfo_t*, void*), int another = 0);
void allow_only(std::span<const int> system_calls);

}  // namespace kite::isa
