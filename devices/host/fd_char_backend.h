// FdCharBackend: a CharBackend on a pair of host descriptors: stdio, files, connected sockets.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "devices/host/char_backend.h"
#include "devices/host/host_writer.h"

namespace kite {

// Life of a byte from the guest: write() appends it to incoming_ and asks the loop to drain; the
// loop takes all of incoming_ at once and writes as much as the host accepts, then waits for
// POLLOUT. Life of a byte from the host: read when POLLIN says so, shown to the filter, kept in
// pending_ until the receiver has room.
class FdCharBackend : public CharBackend {
 public:
  FdCharBackend(EventLoop& loop, std::string description, InputFilter filter);
  ~FdCharBackend() override;

  // On the loop's thread or before run(). Takes no ownership; -1 for a missing side.
  void attach(int input, int output);
  void detach();
  // As attach(fd, …), and closes it at the end.
  void own(UniqueFd fd, bool input);

  void write(std::span<const u8> bytes) override;
  void set_receiver(CharReceiver* receiver) override;
  void resume() override;
  void flush(Nanos limit) override;

 protected:
  EventLoop& loop() { return loop_; }
  const std::string& description() const { return description_; }
  // Tells the receiver.
  void announce_connection();
  // The far end has closed, or reading failed. On the loop's thread.
  virtual void input_ended();
  // Writing failed for good. On the loop's thread.
  virtual void output_failed(int error);

 private:
  void post(void (FdCharBackend::*call)());
  void update_watches();
  void on_ready(short revents);
  void read_input();
  void deliver();
  void drain();
  bool take_incoming();

  // What may wait for a host that does not read: more than any kernel prints while it boots.
  static constexpr std::size_t kOutputLimit = 4 * MiB;
  static constexpr std::size_t kInputLimit = 4 * KiB;
  static constexpr std::size_t kTypedLimit = 64 * KiB;

  EventLoop& loop_;
  const std::string description_;
  const InputFilter filter_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>();  // posted calls look whether it is gone

  // Only on the loop's thread.
  int input_ = -1;
  HostWriter output_;
  UniqueFd owned_;
  std::vector<int> watched_;
  std::vector<u8> pending_;
  std::vector<u8> draining_;
  std::size_t drained_ = 0;  // of draining_
  bool output_waits_ = false;

  std::atomic<bool> connected_{false};      // someone takes what the guest writes
  std::atomic<bool> receiver_full_{false};  // resume() must post

  std::mutex incoming_mutex_;  // guards the next three
  std::vector<u8> incoming_;
  bool drain_posted_ = false;
  u64 lost_ = 0;

  std::mutex receiver_mutex_;  // guards receiver_, and is held while it is called
  CharReceiver* receiver_ = nullptr;
};

}  // namespace kite
