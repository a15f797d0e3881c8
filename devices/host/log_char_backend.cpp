#include "devices/host/log_char_backend.h"

#include "base/log.h"

namespace kite {

void LogCharBackend::end_line() {
  if (!line_.empty()) log::debug("{}: {}", prefix_, line_);
  line_.clear();
}

// Control characters of a hostile guest do not reach the user's terminal.
void LogCharBackend::write(std::span<const u8> bytes) {
  std::lock_guard lock(mutex_);
  for (const u8 byte : bytes) {
    if (byte == '\n' || line_.size() >= kLongestLine) end_line();
    if (byte >= 0x20 && byte < 0x7f) line_ += static_cast<char>(byte);
  }
}

}  // namespace kite
