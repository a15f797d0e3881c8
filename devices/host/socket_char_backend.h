// SocketCharBackend: a CharBackend on a Unix or TCP socket, as client or as server.
#pragma once

#include "base/fixed_name.h"
#include "devices/host/fd_char_backend.h"

namespace kite {

// A server serves one client at a time and the next one after it. What the guest writes while
// nobody is connected is lost.
class SocketCharBackend : public FdCharBackend {
 public:
  static Result<std::unique_ptr<CharBackend>> create(const CharConfig& config, EventLoop& loop);
  ~SocketCharBackend() override;

 protected:
  void input_ended() override { hang_up(); }
  void output_failed(int) override { hang_up(); }

 private:
  SocketCharBackend(EventLoop& loop, std::string description, UniqueFd listener,
                    const std::string& unlink_path);
  void listen_for_client();
  void accept_client();
  void hang_up();

  UniqueFd listener_;            // not valid in a client
  const FixedName unlink_name_;  // empty: nothing is to be removed
};

}  // namespace kite
