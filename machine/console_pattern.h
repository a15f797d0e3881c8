// ConsolePattern: a regular expression of --expect or --fail-on.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kite {

// POSIX extended syntax, with \d, \w and \s besides. The host's regcomp(3) is used and not
// std::regex, because the guest writes the text: std::regex recurses once per character and
// backtracks without bound, regexec(3) does neither.
class ConsolePattern {
 public:
  // Errors name the option, the expression and what is wrong with it.
  static Result<ConsolePattern> compile(std::string_view option, std::string_view text);

  // Is it found in `line`? In an unfinished line `$` does not match the end.
  bool found_in(const std::string& line, bool finished) const;

  const std::string& text() const { return text_; }

 private:
  struct Compiled;
  ConsolePattern(std::string text, std::shared_ptr<const Compiled> compiled)
      : text_(std::move(text)), compiled_(std::move(compiled)) {}
  std::string text_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace kite
