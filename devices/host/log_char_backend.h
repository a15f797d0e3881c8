// LogCharBackend: what a guest's firmware prints, line by line in Kite's log at debug level.
#pragma once

#include <mutex>
#include <string>

#include "devices/host/char_backend.h"

namespace kite {

class LogCharBackend : public CharBackend {
 public:
  // `prefix` begins every line: "firmware".
  explicit LogCharBackend(std::string prefix) : prefix_(std::move(prefix)) {}
  void write(std::span<const u8> bytes) override;
  void set_receiver(CharReceiver*) override {}

  // Longer lines are told in pieces.
  static constexpr std::size_t kLongestLine = 512;

 private:
  void end_line();
  std::string prefix_;
  std::mutex mutex_;  // guards line_
  std::string line_;
};

}  // namespace kite
