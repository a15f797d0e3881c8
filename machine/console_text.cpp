#include "machine/console_text.h"

namespace kite {
namespace {

constexpr u8 kEsc = 0x1b, kBel = 0x07, kBackspace = 0x08;

bool blank(const std::string& line) {
  return line.find_first_not_of(" \t") == line.npos;
}

}  // namespace

const std::string& ConsoleText::last() const {
  return blank(line_) ? last_ : line_;
}

void ConsoleText::feed(std::span<const u8> bytes) {
  for (u8 byte : bytes) feed_byte(byte);
}

void ConsoleText::feed_byte(u8 byte) {
  if (state_ != State::kText && ++sequence_length_ > kLongestSequence) state_ = State::kText;
  switch (state_) {
    case State::kText:
      return text(byte);
    case State::kEscape:
      return escape(byte);
    case State::kEscapeIntermediate:  // ESC ( B and its kind: intermediates, then one final byte
      if (byte < 0x20 || byte > 0x2f) state_ = State::kText;
      return;
    case State::kControl:
      return control(byte);
    case State::kString:
    case State::kStringEscape:
      return string(byte);
  }
}

void ConsoleText::text(u8 byte) {
  if (byte == kEsc) {
    state_ = State::kEscape;
    sequence_length_ = 0;
  } else if (byte == '\n' || byte == '\r') {
    end_line();
  } else if (byte == kBackspace) {
    if (!line_.empty()) line_.pop_back();
  } else if (byte == '\t' || (byte >= 0x20 && byte != 0x7f)) {
    append(static_cast<char>(byte));
  }
}

// ECMA-48 5.3, 5.6: what follows ESC.
void ConsoleText::escape(u8 byte) {
  if (byte == '[') {
    state_ = State::kControl;
  } else if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_') {
    state_ = State::kString;
  } else if (byte >= 0x20 && byte <= 0x2f) {
    state_ = State::kEscapeIntermediate;
  } else if (byte != kEsc) {
    state_ = State::kText;
    if (byte == 'c' || byte == 'D' || byte == 'E' || byte == 'M') end_line();
  }
}

// ECMA-48 5.4: parameters and intermediates, then a final byte 40h–7Eh.
void ConsoleText::control(u8 byte) {
  if (byte == kEsc) {
    state_ = State::kEscape;
    return;
  }
  if (byte >= 0x20 && byte < 0x40) return;
  state_ = State::kText;
  switch (byte) {
    case 'A':  // cursor up, down, to a line, to a position; erase display
    case 'B':
    case 'E':
    case 'F':
    case 'H':
    case 'J':
    case 'd':
    case 'f':
      end_line();
      break;
    case '\n':
    case '\r':
      end_line();
      break;
    default:
      break;
  }
}

// Up to BEL (as xterm has it) or ESC \.
void ConsoleText::string(u8 byte) {
  if (byte == kBel || (state_ == State::kStringEscape && byte == '\\')) {
    state_ = State::kText;
  } else {
    state_ = byte == kEsc ? State::kStringEscape : State::kString;
  }
}

void ConsoleText::end_line() {
  if (!blank(line_)) {
    last_ = line_;
    sink_(line_);
  }
  line_.clear();
}

void ConsoleText::append(char character) {
  line_ += character;
  if (line_.size() < kLongestLine) return;
  std::string tail = line_.substr(line_.size() - kOverlap);
  end_line();
  line_ = std::move(tail);
}

}  // namespace kite
