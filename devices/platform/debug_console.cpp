#include "devices/platform/debug_console.h"

namespace kite {

u8 DebugConsole::read_byte(u64) {
  return kPresent;
}

void DebugConsole::write_byte(u64, u8 value) {
  backend_.write({&value, 1});
}

}  // namespace kite
