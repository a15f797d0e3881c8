#include "base/event_loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/poll.h"

namespace kite {
namespace {

Result<> prepare(int fd) {
  int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    return fail_errno(ErrorKind::kInternal, errno, "cannot prepare the event loop's pipe");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create(Clock& clock) {
  int ends[2];
  if (::pipe(ends) < 0) {
    return fail_errno(ErrorKind::kUnavailable, errno, "cannot make the event loop's pipe");
  }
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  KITE_CHECK(prepare(read_end.get()));
  KITE_CHECK(prepare(write_end.get()));
  return std::unique_ptr<EventLoop>(
      new EventLoop(clock, std::move(read_end), std::move(write_end)));
}

EventLoop::EventLoop(Clock& clock, UniqueFd read_end, UniqueFd write_end)
    : clock_(clock), wake_read_(std::move(read_end)), wake_write_(std::move(write_end)) {
  clock_.on_rearm([this] { wake_from_outside(); });
}

EventLoop::~EventLoop() {
  clock_.on_rearm({});
}

void EventLoop::watch(int fd, short events, std::function<void(short)> ready) {
  watches_[fd] = std::make_shared<Watch>(Watch{events, std::move(ready)});
}

void EventLoop::unwatch(int fd) {
  watches_.erase(fd);
}

void EventLoop::post(std::function<void()> call) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(call));
  }
  wake_from_outside();
}

void EventLoop::run() {
  thread_.store(std::this_thread::get_id());
  while (!stopping_.load()) {
    run_posted();
    clock_.run_due();
    if (stopping_.load()) break;
    wait();
  }
  thread_.store(std::thread::id());
  stopping_.store(false);
}

void EventLoop::stop() {
  stopping_.store(true);
  wake();
}

// Who runs the loop looks for timers and calls before it waits. (stop() may come from a signal
// handler on the same thread, between that look and the waiting.)
void EventLoop::wake_from_outside() {
  if (thread_.load() != std::this_thread::get_id()) wake();
}

// One byte is enough until the loop has taken it. Signal handlers call this, so errno is the
// interrupted code's.
void EventLoop::wake() {
  if (wake_pending_.exchange(true)) return;
  int saved = errno;
  char byte = 0;
  [[maybe_unused]] ssize_t written = ::write(wake_write_.get(), &byte, 1);
  errno = saved;
}

Nanos EventLoop::time_left() {
  {
    std::lock_guard lock(mutex_);
    if (!posted_.empty()) return 0;
  }
  Nanos deadline = clock_.next_deadline();
  return deadline == kNever ? kNever : deadline - clock_.now();
}

void EventLoop::wait() {
  polled_.clear();
  polled_.push_back({wake_read_.get(), POLLIN, 0});
  for (const auto& [fd, watch] : watches_) polled_.push_back({fd, watch->events, 0});
  if (poll_for(polled_, time_left()) <= 0) return;
  if (polled_[0].revents != 0) drain_wake();
  for (std::size_t i = 1; i < polled_.size(); i++) {
    if (polled_[i].revents != 0) dispatch(polled_[i].fd, polled_[i].revents);
  }
}

// The flag falls after the byte is gone and before the loop looks for work: whoever finds it raised
// has published the work already.
void EventLoop::drain_wake() {
  char bytes[64];
  while (::read(wake_read_.get(), bytes, sizeof bytes) == sizeof bytes) {
  }
  wake_pending_.store(false);
}

void EventLoop::dispatch(int fd, short revents) {
  auto found = watches_.find(fd);
  if (found == watches_.end()) return;  // an earlier callback of this round unwatched it
  std::shared_ptr<Watch> watch = found->second;
  if (revents & POLLNVAL) {
    log::debug("event loop: descriptor {} is closed, no longer watched", fd);
    watches_.erase(found);
  }
  watch->ready(revents);
}

void EventLoop::run_posted() {
  std::vector<std::function<void()>> calls;
  {
    std::lock_guard lock(mutex_);
    calls.swap(posted_);
  }
  for (auto& call : calls) call();
}

}  // namespace kite
