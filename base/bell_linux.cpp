#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>

#include "base/bell.h"

namespace kite {
namespace {

constexpr u32 kQuiet = 0, kRung = 1, kSleeping = 2;

}  // namespace

struct Bell::Host {
  std::atomic<u32> state{kQuiet};
  static_assert(sizeof(state) == 4 && std::atomic<u32>::is_always_lock_free);  // a futex(2)
};

Bell::Bell() : host_(std::make_unique<Host>()) {}
Bell::~Bell() = default;

void Bell::ring() {
  if (host_->state.exchange(kRung) == kSleeping)
    ::syscall(SYS_futex, &host_->state, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

bool Bell::wait(Nanos timeout) {
  u32 quiet = kQuiet;
  if (host_->state.compare_exchange_strong(quiet, kSleeping)) {
    timespec limit = {};
    limit.tv_sec = static_cast<time_t>(std::max<Nanos>(timeout, 0) / kSecond);
    limit.tv_nsec = static_cast<long>(std::max<Nanos>(timeout, 0) % kSecond);
    ::syscall(SYS_futex, &host_->state, FUTEX_WAIT_PRIVATE, kSleeping,
              timeout == kNever ? nullptr : &limit, nullptr, 0);
  }
  return host_->state.exchange(kQuiet) == kRung;
}

}  // namespace kite
