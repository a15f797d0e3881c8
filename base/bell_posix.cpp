#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/bell.h"

namespace kite {

struct Bell::Host {
  std::mutex mutex;  // guards rung
  std::condition_variable changed;
  bool rung = false;
};

Bell::Bell() : host_(std::make_unique<Host>()) {}
Bell::~Bell() = default;

void Bell::ring() {
  {
    std::lock_guard lock(host_->mutex);
    host_->rung = true;
  }
  host_->changed.notify_one();
}

bool Bell::wait(Nanos timeout) {
  constexpr Nanos kLongest = 3600 * kSecond;  // the host's clock does not overflow
  const auto rung = [this] { return host_->rung; };
  std::unique_lock lock(host_->mutex);
  if (timeout == kNever)
    host_->changed.wait(lock, rung);
  else
    host_->changed.wait_for(lock, std::chrono::nanoseconds(std::min(timeout, kLongest)), rung);
  return std::exchange(host_->rung, false);
}

}  // namespace kite
