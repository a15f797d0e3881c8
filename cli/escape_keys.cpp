#include "cli/escape_keys.h"

#include <utility>

namespace kite {

namespace {
constexpr u8 kEscape = 0x01;  // Ctrl-a
}

void EscapeKeys::filter(std::vector<u8>& typed) {
  std::vector<u8> kept;
  for (u8 key : typed) {
    if (std::exchange(escaped_, false)) {
      if (key == kEscape) kept.push_back(key);
      act(key);
    } else if (key == kEscape) {
      escaped_ = true;
    } else {
      kept.push_back(key);
    }
  }
  typed = std::move(kept);
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
      return actions_.monitor();
    default:
      return;
  }
}

}  // namespace kite
