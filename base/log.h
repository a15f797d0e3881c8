// Kite's own words: one line each, on stderr, never mixed into the guest's console.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/types.h"

namespace kite::log {

enum class Level { kDebug, kInfo, kWarning, kError };

void set_level(Level level);
bool enabled(Level level);

// Sends the log to a file instead of stderr.
Result<> to_file(const std::string& path);

void write(Level level, std::string_view line);

template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::kDebug)) write(Level::kDebug, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::kInfo)) write(Level::kInfo, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kWarning, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kError, fmt::format(text, std::forward<Args>(args)...));
}

// Lets the first few of a kind of message through, so that a guest cannot flood the log.
class Limiter {
 public:
  explicit constexpr Limiter(u32 limit = 8) : left_(limit) {}
  bool allow() {
    u32 left = left_.load(std::memory_order_relaxed);
    return left != 0 && left_.compare_exchange_strong(left, left - 1, std::memory_order_relaxed);
  }

 private:
  std::atomic<u32> left_;
};

}  // namespace kite::log
