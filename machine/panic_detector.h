// PanicDetector: recognises a kernel's panic in what it writes to the console.
#pragma once

#include <string>
#include <string_view>

namespace kite {

class PanicDetector {
 public:
  // Looks at a finished line. True once: with the line from which on it is certain.
  bool is_panic(std::string_view line);

  // After a panic: does the line say that nothing more will come?
  static bool is_end_of_panic(std::string_view line);

  // The line that named the panic, after is_panic() said so.
  const std::string& message() const { return message_; }

 private:
  std::string message_;
  std::string suspected_;  // a "panic: " line that only BSD's next lines can confirm
  unsigned lines_since_ = 0;
  bool told_ = false;
};

}  // namespace kite
