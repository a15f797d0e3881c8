// EscapeKeys: finds Ctrl-a and the key after it among what is typed to the guest.
#pragma once

#include <functional>
#include <vector>

#include "base/types.h"

namespace kite {

// Ctrl-a x leaves, Ctrl-a h lists the keys, Ctrl-a c would open the monitor, Ctrl-a Ctrl-a sends
// one Ctrl-a. Ctrl-a and any other key are swallowed.
class EscapeKeys {
 public:
  struct Actions {
    std::function<void()> leave;
    std::function<void()> help;
    std::function<void()> monitor;
  };
  explicit EscapeKeys(Actions actions) : actions_(std::move(actions)) {}

  // Removes the escape sequences from `typed` and acts on them. A sequence may come in two pieces.
  void filter(std::vector<u8>& typed);

 private:
  void act(u8 key);

  Actions actions_;
  bool escaped_ = false;  // the last key was Ctrl-a
};

}  // namespace kite
