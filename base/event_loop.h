// EventLoop: the one host I/O loop: file descriptors, timers of a Clock, and calls posted by other
// threads.
#pragma once

#include <poll.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace kite {

// Built on poll(2) and a pipe, so that it is the same on every host. Callbacks run on the thread
// that calls run().
class EventLoop {
 public:
  static Result<std::unique_ptr<EventLoop>> create(Clock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls `ready` with the poll events that came. Only on the loop's thread, or before run(). One
  // watch per fd; a later one replaces it. A descriptor that turns out to be closed is told
  // POLLNVAL once and forgotten.
  void watch(int fd, short events, std::function<void(short revents)> ready);
  void unwatch(int fd);

  // Runs `call` on the loop's thread, soon. Any thread.
  void post(std::function<void()> call);

  void run();   // until stop(), also an earlier one
  void stop();  // any thread, also from a signal handler

 private:
  explicit EventLoop(Clock& clock, UniqueFd read_end, UniqueFd write_end);
  void wake();
  void wake_from_outside();
  Nanos time_left();
  void wait();
  void drain_wake();
  void dispatch(int fd, short revents);
  void run_posted();

  struct Watch {
    short events;
    std::function<void(short)> ready;
  };
  Clock& clock_;
  UniqueFd wake_read_, wake_write_;
  std::map<int, std::shared_ptr<Watch>> watches_;  // shared: a callback may unwatch itself
  std::vector<pollfd> polled_;                     // what wait() hands to the host
  std::mutex mutex_;                               // guards posted_
  std::vector<std::function<void()>> posted_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> wake_pending_{false};  // a byte is, or will be, in the pipe
  std::atomic<std::thread::id> thread_{};  // that runs the loop
};

}  // namespace kite
