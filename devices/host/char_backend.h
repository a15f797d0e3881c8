// CharBackend: the far side of a serial cable: a terminal, a file, a socket, or nothing.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/types.h"

namespace kite {

// The chip's side: where bytes that come from the host go. Called on the I/O loop's thread.
class CharReceiver {
 public:
  virtual ~CharReceiver() = default;
  virtual std::size_t room() = 0;                       // bytes it can take now
  virtual void receive(std::span<const u8> bytes) = 0;  // at most room() bytes, at least one
  virtual void connected() {}                           // somebody new is at the far end
};

// A chip calls write() and resume() with its own lock held, so neither ever calls back into the
// receiver before it returns, and neither ever waits for the host.
class CharBackend {
 public:
  virtual ~CharBackend() = default;

  // Any thread. Takes every byte; when the host does not keep up, the oldest waiting bytes are lost
  // (and one line on stderr says so), because a console nobody reads must not stall the guest.
  virtual void write(std::span<const u8> bytes) = 0;

  // Null: bytes from the host stay where they are. After this returns the old receiver is not
  // called again.
  virtual void set_receiver(CharReceiver* receiver) = 0;

  // The receiver, which had no room, has room again. Any thread.
  virtual void resume() {}

  // Writes what is still waiting, for at most `limit`. Only after the loop has stopped.
  virtual void flush(Nanos limit) { static_cast<void>(limit); }
};

// What `--serial WHERE` says.
struct CharConfig {
  enum class Kind { kNull, kStdio, kFile, kUnix, kTcp };
  Kind kind = Kind::kNull;
  std::string user = "serial";  // what it is for, in messages
  std::string path;             // file, unix
  std::string host;             // tcp
  u16 port = 0;                 // tcp
  bool server = false;          // unix, tcp: listen instead of connecting
  bool wait = false;            // server: wait for the first client before the machine starts
};

// Parses null | stdio | file:PATH | unix:PATH[,server][,wait] | tcp:HOST:PORT[,server][,wait].
// Options may carry =on or =off. Errors (kUsage) name the word and what was expected.
Result<CharConfig> parse_char_backend(std::string_view text);

// Sees and may change what was typed on stdin before the chip gets it (the console's escape keys).
// Called on the loop's thread.
using InputFilter = std::function<void(std::vector<u8>& bytes)>;

// Opens it. `loop` and the backend's owner outlive each other as follows: the backend is destroyed
// before the loop, and not while run() is in progress. A server with `wait` blocks here until a
// client comes (SIGINT ends the wait with an error).
Result<std::unique_ptr<CharBackend>> open_char_backend(const CharConfig& config, EventLoop& loop,
                                                       InputFilter stdin_filter = {});

// A pair of descriptors it does not own and whose flags it never changes (O_NONBLOCK would be left
// behind for every process that shares them). Either may be -1 or closed: no input, or output that
// vanishes.
std::unique_ptr<CharBackend> make_fd_backend(EventLoop& loop, int input, int output,
                                             std::string description, InputFilter filter = {});

// Swallows everything, says nothing.
class NullCharBackend : public CharBackend {
 public:
  void write(std::span<const u8>) override {}
  void set_receiver(CharReceiver*) override {}
};

// Passes everything on to `inner` and shows what the guest writes to an observer, on the vCPU's
// thread with the chip's lock held: the observer must not touch the chip.
class ObservedCharBackend : public CharBackend {
 public:
  using Observer = std::function<void(std::span<const u8> bytes)>;
  ObservedCharBackend(CharBackend& inner, Observer observer)
      : inner_(inner), observer_(std::move(observer)) {}
  void write(std::span<const u8> bytes) override {
    observer_(bytes);
    inner_.write(bytes);
  }
  void set_receiver(CharReceiver* receiver) override { inner_.set_receiver(receiver); }
  void resume() override { inner_.resume(); }
  void flush(Nanos limit) override { inner_.flush(limit); }

 private:
  CharBackend& inner_;
  Observer observer_;
};

}  // namespace kite
