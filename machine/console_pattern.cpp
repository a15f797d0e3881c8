#include "machine/console_pattern.h"

#include <regex.h>

namespace kite {

struct ConsolePattern::Compiled {
  regex_t regex;
  explicit Compiled(const regex_t& compiled) : regex(compiled) {}
  ~Compiled() { ::regfree(&regex); }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
};

namespace {

std::string_view class_of(char letter) {
  switch (letter) {
    case 'd':
      return "0-9";
    case 'w':
      return "A-Za-z0-9_";
    case 's':
      return " \t";
    default:
      return {};
  }
}

// \d, \w and \s as bracket expressions, which every host knows.
std::string to_posix(std::string_view text) {
  std::string out;
  bool in_brackets = false;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      std::string_view letters = class_of(text[++i]);
      if (letters.empty()) {
        out += '\\';
        out += text[i];
      } else {
        out += fmt::format(fmt::runtime(in_brackets ? "{}" : "[{}]"), letters);
      }
      continue;
    }
    // A ] that comes first in brackets is a member of the set.
    bool first =
        i > 0 && (text[i - 1] == '[' || (text[i - 1] == '^' && i > 1 && text[i - 2] == '['));
    if (text[i] == '[') in_brackets = true;
    if (text[i] == ']' && in_brackets && !first) in_brackets = false;
    out += text[i];
  }
  return out;
}

}  // namespace

Result<ConsolePattern> ConsolePattern::compile(std::string_view option, std::string_view text) {
  if (text.empty()) {
    return fail(ErrorKind::kUsage, "{} '': an empty expression matches anything", option);
  }
  if (text.find('\0') != text.npos) {
    return fail(ErrorKind::kUsage, "{}: the expression contains a NUL byte", option);
  }
  regex_t regex;
  int error = ::regcomp(&regex, to_posix(text).c_str(), REG_EXTENDED | REG_NOSUB);
  if (error != 0) {
    char words[128] = "";
    ::regerror(error, &regex, words, sizeof words);
    return fail(ErrorKind::kUsage, "{} '{}': not a regular expression: {}", option, text, words);
  }
  return ConsolePattern(std::string(text), std::make_shared<const Compiled>(regex));
}

bool ConsolePattern::found_in(const std::string& line, bool finished) const {
  return ::regexec(&compiled_->regex, line.c_str(), 0, nullptr, finished ? 0 : REG_NOTEOL) == 0;
}

}  // namespace kite
