// What Kite's result file says of its translator.
#pragma once

#include <optional>
#include <string>

namespace kite::bench {

struct Translator {
  double blocks = 0, guest_bytes = 0, host_bytes = 0, nanoseconds = 0;  // all that were translated
  double discarded = 0;  // blocks thrown away because their code was written to
  double declined = 0;   // instructions left to the interpreter, of the kinds most often so
};

// Nothing: the file, or this Kite, has none.
std::optional<Translator> translator_of(const std::string& result_file);

// A Markdown table of the cost of translation, or an empty string.
std::string describe(const std::optional<Translator>& translator);

}  // namespace kite::bench
