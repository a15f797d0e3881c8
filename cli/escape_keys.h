// EscapeKeys: finds Ctrl-a and the key after it among what is typed to the guest.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/types.h"

namespace kite {

// Ctrl-a x leaves, Ctrl-a h lists the keys, Ctrl-a c switches the keyboard between guest and
// monitor, Ctrl-a Ctrl-a sends one Ctrl-a. Ctrl-a and any other key are swallowed.
class EscapeKeys {
 public:
  struct Actions {
    std::function<void()> leave;
    std::function<void()> help;
    // The keyboard is the monitor's now, or the guest's again.
    std::function<void(bool monitor)> switched;
    std::function<void(std::span<const u8> keys)> monitor_typed;
  };
  explicit EscapeKeys(Actions actions) : actions_(std::move(actions)) {}

  // Acts on the escape sequences in `typed` and leaves what is the guest's. A sequence may come in
  // two pieces.
  void filter(std::vector<u8>& typed);

 private:
  void act(u8 key);
  void tell_monitor();

  Actions actions_;
  bool escaped_ = false;  // the last key was Ctrl-a
  bool monitor_ = false;  // has the keyboard
  std::vector<u8> for_monitor_;
};

}  // namespace kite
