// ConsoleText: a terminal's byte stream as plain lines, without control sequences.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/types.h"

namespace kite {

// ECMA-48 sequences are swallowed, also when they come in pieces. A line ends at CR, LF or where
// the cursor is sent elsewhere. A guest may send anything: lines longer than kLongestLine are told
// in pieces that overlap, sequences longer than kLongestSequence are given up.
class ConsoleText {
 public:
  static constexpr std::size_t kLongestLine = 4096;
  static constexpr std::size_t kOverlap = 512;
  static constexpr std::size_t kLongestSequence = 1024;

  // Told each finished line that is not blank.
  using LineSink = std::function<void(const std::string& line)>;
  explicit ConsoleText(LineSink sink) : sink_(std::move(sink)) {}

  void feed(std::span<const u8> bytes);

  // The line that is being written.
  const std::string& unfinished() const { return line_; }
  // The last line with something on it, finished or not.
  const std::string& last() const;

 private:
  enum class State { kText, kEscape, kEscapeIntermediate, kControl, kString, kStringEscape };
  void feed_byte(u8 byte);
  void text(u8 byte);
  void escape(u8 byte);
  void control(u8 byte);
  void string(u8 byte);
  void end_line();
  void append(char character);

  LineSink sink_;
  State state_ = State::kText;
  std::size_t sequence_length_ = 0;
  std::string line_;
  std::string last_;
};

}  // namespace kite
