#include "devices/host/fd_char_backend.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "base/log.h"
#include "base/poll.h"

namespace kite {

FdCharBackend::FdCharBackend(EventLoop& loop, std::string description, InputFilter filter)
    : loop_(loop), description_(std::move(description)), filter_(std::move(filter)) {}

FdCharBackend::~FdCharBackend() {
  for (int fd : watched_) loop_.unwatch(fd);
}

void FdCharBackend::attach(int input, int output) {
  detach();
  input_ = input;
  output_ = HostWriter(output);
  connected_ = output >= 0;
  update_watches();
}

void FdCharBackend::own(UniqueFd fd, bool input) {
  const int number = fd.get();
  attach(input ? number : -1, number);
  owned_ = std::move(fd);
}

void FdCharBackend::detach() {
  connected_ = false;
  input_ = -1;
  output_ = HostWriter();
  draining_.clear();
  drained_ = 0;
  output_waits_ = false;
  update_watches();
  owned_.reset();
}

// A call on the loop's thread, unless the backend is gone by then.
void FdCharBackend::post(void (FdCharBackend::*call)()) {
  loop_.post([this, call, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) (this->*call)();
  });
}

// With a filter, input is read even while the guest takes none: the escape keys must get through.
void FdCharBackend::update_watches() {
  for (int fd : watched_) loop_.unwatch(fd);
  watched_.clear();
  const bool wants_input = input_ >= 0 && (filter_ || pending_.size() < kInputLimit);
  const int output = output_waits_ ? output_.fd() : -1;
  const auto watch = [this](int fd, short events) {
    loop_.watch(fd, events, [this](short revents) { on_ready(revents); });
    watched_.push_back(fd);
  };
  if (wants_input) watch(input_, output == input_ ? POLLIN | POLLOUT : POLLIN);
  if (output >= 0 && !(wants_input && output == input_)) watch(output, POLLOUT);
}

void FdCharBackend::on_ready(short revents) {
  if (output_waits_ && (revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL))) drain();
  if (input_ >= 0 && (revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))) read_input();
}

void FdCharBackend::read_input() {
  pollfd descriptor{input_, POLLIN, 0};  // the event may have been the output's
  if (::poll(&descriptor, 1, 0) <= 0) return;
  std::vector<u8> bytes(kInputLimit);
  const ssize_t count = ::read(input_, bytes.data(), bytes.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return input_ended();
  bytes.resize(static_cast<std::size_t>(count));
  if (filter_) filter_(bytes);
  const std::size_t room = kTypedLimit - std::min(pending_.size(), kTypedLimit);
  bytes.resize(std::min(bytes.size(), room));
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  deliver();
}

void FdCharBackend::announce_connection() {
  std::lock_guard lock(receiver_mutex_);
  if (receiver_) receiver_->connected();
}

void FdCharBackend::input_ended() {
  input_ = -1;
  update_watches();
}

void FdCharBackend::output_failed(int error) {
  log::warning("{}: {}; what is written there is lost from here on", description_,
               std::generic_category().message(error));
  connected_ = false;
  draining_.clear();
  drained_ = 0;
  output_waits_ = false;
  output_ = HostWriter();
  update_watches();
}

// receiver_full_ is set before room() is asked: if the chip makes room after that, its resume()
// sees the flag, and if before, room() tells.
void FdCharBackend::deliver() {
  {
    std::lock_guard lock(receiver_mutex_);
    std::size_t done = 0;
    while (receiver_ && done < pending_.size()) {
      receiver_full_ = true;
      const std::size_t count = std::min(receiver_->room(), pending_.size() - done);
      if (count == 0) break;
      receiver_full_ = false;
      receiver_->receive({pending_.data() + done, count});
      done += count;
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(done));
  }
  update_watches();
}

void FdCharBackend::resume() {
  if (receiver_full_.exchange(false)) post(&FdCharBackend::deliver);
}

void FdCharBackend::set_receiver(CharReceiver* receiver) {
  {
    std::lock_guard lock(receiver_mutex_);
    receiver_ = receiver;
  }
  if (receiver) post(&FdCharBackend::deliver);
}

void FdCharBackend::write(std::span<const u8> bytes) {
  if (!connected_) return;
  bool must_post;
  {
    std::lock_guard lock(incoming_mutex_);
    incoming_.insert(incoming_.end(), bytes.begin(), bytes.end());
    if (incoming_.size() > kOutputLimit) {
      const std::size_t surplus = incoming_.size() - kOutputLimit + kOutputLimit / 4;
      incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(surplus));
      lost_ += surplus;
    }
    must_post = !std::exchange(drain_posted_, true);
  }
  if (must_post) post(&FdCharBackend::drain);
}

bool FdCharBackend::take_incoming() {
  draining_.clear();
  drained_ = 0;
  std::lock_guard lock(incoming_mutex_);
  drain_posted_ = false;
  draining_.swap(incoming_);
  return !draining_.empty();
}

// While output_waits_, drain_posted_ stays set: the watch for POLLOUT continues the work.
void FdCharBackend::drain() {
  const bool waited = std::exchange(output_waits_, false);
  while (drained_ < draining_.size() || take_incoming()) {
    if (!connected_) {
      drained_ = draining_.size();
      continue;
    }
    const ssize_t count = output_.write(std::span(draining_).subspan(drained_));
    if (count >= 0) {
      drained_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      output_waits_ = true;
      std::lock_guard lock(incoming_mutex_);
      drain_posted_ = true;
      break;
    } else if (errno != EINTR) {
      output_failed(errno);
    }
  }
  if (output_waits_ || waited) update_watches();
}

void FdCharBackend::flush(Nanos limit) {
  const RealClock clock;
  drain();
  while (output_waits_ && clock.now() < limit) {
    pollfd descriptor{output_.fd(), POLLOUT, 0};
    if (poll_for({&descriptor, 1}, limit - clock.now()) < 0 && errno != EINTR) break;
    drain();
  }
  std::lock_guard lock(incoming_mutex_);
  lost_ += draining_.size() - drained_ + incoming_.size();
  draining_.clear();
  drained_ = 0;
  incoming_.clear();
  if (lost_ != 0)
    log::warning("{}: nobody read; {} bytes are lost", description_, std::exchange(lost_, 0));
}

}  // namespace kite
