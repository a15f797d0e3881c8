// RunControl: what ends or restarts a run; the first cause wins.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "machine/outcome.h"

namespace kite {

// Chips call it on vCPU threads with their own locks held, so it only notes the cause and wakes the
// I/O loop. A processor goes on for some instructions after it has asked for a reset, usually to a
// HLT with interrupts off: while a reset is pending, a dead halt and a triple fault mean nothing.
class RunControl {
 public:
  struct Ending {
    OutcomeKind kind;
    int status;
    std::string reason;
  };

  // `wake` makes the I/O loop look at ending() and pending_reset(). Any thread.
  explicit RunControl(std::function<void()> wake) : wake_(std::move(wake)) {}

  // True: this is how the run ends.
  bool finish(OutcomeKind kind, std::string reason) {
    return finish(kind, status_of(kind), reason);
  }
  bool finish(OutcomeKind kind, int status, std::string reason);
  bool fail(const Error& error);
  // `source` is the chip that was asked: "port 92h".
  void request_reset(std::string source);
  // Suspend to RAM, and its end. Without a sleep there is nothing to end: false.
  void request_sleep();
  bool request_wake();

  std::optional<Ending> ending() const;
  // The chip that was asked, until reset_begins().
  std::optional<std::string> pending_reset() const;
  void reset_begins();  // ends a sleep, too
  // From request_sleep() on, until sleep_ends().
  bool asleep() const;
  bool pending_wake() const;
  void sleep_ends();

 private:
  std::function<void()> wake_;
  mutable std::mutex mutex_;  // guards everything below
  std::optional<Ending> ending_;
  std::optional<std::string> reset_source_;
  bool asleep_ = false, wake_requested_ = false;
};

}  // namespace kite
