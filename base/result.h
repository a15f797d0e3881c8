// Result<T>: a value, or an Error that a person can act on. Host failures only; a guest's faults
// are ordinary values of the engines.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace kite {

// What went wrong on the host's side; the value is the exit status (sysexits.h).
enum class ErrorKind {
  kUsage = 64,        // the command line contradicts itself or names what does not exist
  kData = 65,         // an input is not what it should be
  kNoInput = 66,      // an input is missing or unreadable
  kUnavailable = 69,  // an accelerator, feature or amount of memory this host does not have
  kInternal = 70,     // Kite's own bug
  kIo = 74,           // reading or writing failed
};

struct Error {
  ErrorKind kind;
  std::string message;  // one line: the object, the value, what was expected
};

template <class T = void>
using Result = tl::expected<T, Error>;

template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> text,
                                         Args&&... args) {
  return tl::unexpected<Error>(Error{kind, fmt::format(text, std::forward<Args>(args)...)});
}

// As fail(), with ": " and the host's words for `error_number` appended.
[[nodiscard]] tl::unexpected<Error> fail_errno(ErrorKind kind, int error_number, std::string what);

}  // namespace kite

// The value of a Result, or an early return of its error from the enclosing function.
#define KITE_TRY(expression)                                                                  \
  __extension__({                                                                             \
    auto kite_result = (expression);                                                          \
    if (!kite_result) return ::tl::unexpected<::kite::Error>(std::move(kite_result).error()); \
    *std::move(kite_result);                                                                  \
  })

// The same for a Result<void>.
#define KITE_CHECK(expression)                                                \
  do {                                                                        \
    if (auto kite_result = (expression); !kite_result)                        \
      return ::tl::unexpected<::kite::Error>(std::move(kite_result).error()); \
  } while (false)
