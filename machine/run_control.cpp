#include "machine/run_control.h"

#include <utility>

namespace kite {
namespace {

bool is_processors_own(OutcomeKind kind) {
  return kind == OutcomeKind::kDeadHalt || kind == OutcomeKind::kTripleFault;
}

}  // namespace

bool RunControl::finish(OutcomeKind kind, int status, std::string reason) {
  {
    std::lock_guard lock(mutex_);
    if (ending_ || (reset_source_ && is_processors_own(kind))) return false;
    ending_ = Ending{kind, status, std::move(reason)};
  }
  wake_();
  return true;
}

bool RunControl::fail(const Error& error) {
  return finish(OutcomeKind::kHostError, static_cast<int>(error.kind), error.message);
}

void RunControl::request_reset(std::string source) {
  {
    std::lock_guard lock(mutex_);
    if (reset_source_) return;
    reset_source_ = std::move(source);
  }
  wake_();
}

void RunControl::request_sleep() {
  {
    std::lock_guard lock(mutex_);
    asleep_ = true;
  }
  wake_();
}

bool RunControl::request_wake() {
  {
    std::lock_guard lock(mutex_);
    if (!asleep_) return false;
    wake_requested_ = true;
  }
  wake_();
  return true;
}

bool RunControl::asleep() const {
  std::lock_guard lock(mutex_);
  return asleep_;
}

bool RunControl::pending_wake() const {
  std::lock_guard lock(mutex_);
  return wake_requested_;
}

void RunControl::sleep_ends() {
  std::lock_guard lock(mutex_);
  asleep_ = wake_requested_ = false;
}

std::optional<RunControl::Ending> RunControl::ending() const {
  std::lock_guard lock(mutex_);
  return ending_;
}

std::optional<std::string> RunControl::pending_reset() const {
  std::lock_guard lock(mutex_);
  return reset_source_;
}

void RunControl::reset_begins() {
  std::lock_guard lock(mutex_);
  reset_source_.reset();
  asleep_ = wake_requested_ = false;
}

}  // namespace kite
