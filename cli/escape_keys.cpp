#include "cli/escape_keys.h"

#include <utility>

namespace kite {

namespace {
constexpr u8 kEscape = 0x01;  // Ctrl-a
}

void EscapeKeys::filter(std::vector<u8>& typed) {
  std::vector<u8> for_guest;
  for (u8 key : typed) {
    const bool escaped = std::exchange(escaped_, false);
    if (!escaped && key == kEscape) {
      escaped_ = true;
    } else if (escaped && key != kEscape) {
      tell_monitor();
      act(key);
    } else {
      (monitor_ ? for_monitor_ : for_guest).push_back(key);
    }
  }
  tell_monitor();
  typed = std::move(for_guest);
}

void EscapeKeys::tell_monitor() {
  if (for_monitor_.empty()) return;
  const std::vector<u8> keys = std::exchange(for_monitor_, {});
  actions_.monitor_typed(keys);
}

void EscapeKeys::act(u8 key) {
  switch (key) {
    case 'x':
    case 'X':
      return actions_.leave();
    case 'h':
    case 'H':
    case '?':
      return actions_.help();
    case 'c':
    case 'C':
      monitor_ = !monitor_;
      return actions_.switched(monitor_);
    default:
      return;
  }
}

}  // namespace kite
