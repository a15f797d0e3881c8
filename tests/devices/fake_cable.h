// What the chips' tests put at the far ends of their wires.
#pragma once

#include <string>

#include "base/line.h"
#include "devices/host/char_backend.h"

namespace kite {

// The level of a wire, and how often it rose.
struct WireProbe {
  bool level = false;
  int rises = 0;
  Line line() {
    return Line([this](bool now) {
      if (now && !level) ++rises;
      level = now;
    });
  }
};

// A cable whose far end is the test.
class FakeCable : public CharBackend {
 public:
  void write(std::span<const u8> bytes) override { written.append(bytes.begin(), bytes.end()); }
  void set_receiver(CharReceiver* receiver) override { receiver_ = receiver; }
  void resume() override { resumed = true; }

  // Sends as much of `text` as the chip takes, and says how much that was.
  std::size_t send(std::string_view text) {
    const std::size_t count = std::min(receiver_->room(), text.size());
    if (count != 0) receiver_->receive({reinterpret_cast<const u8*>(text.data()), count});
    return count;
  }
  bool connected() const { return receiver_ != nullptr; }

  std::string written;
  bool resumed = false;

 private:
  CharReceiver* receiver_ = nullptr;
};

}  // namespace kite
