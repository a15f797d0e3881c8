#include "cli/arguments.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/nearest.h"

namespace kite {

namespace {

// "--append=" means an empty text; CLI11 would take the next word for its value.
Words with_empty_values(const Words& words) {
  Words result;
  bool options_end = false;
  for (const std::string& word : words) {
    options_end |= word == "--";
    const bool empty_value = !options_end && word.starts_with("--") && word.find('=') != 0 &&
                             word.find('=') == word.size() - 1 && word.size() > 3;
    result.push_back(empty_value ? word.substr(0, word.size() - 1) : word);
    if (empty_value) result.emplace_back();
  }
  return result;
}

Error surplus(const CLI::App& app, const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  for (const std::string& word : words) {
    if (!word.starts_with("-") || word == "--") continue;
    std::string option = word.substr(0, word.find('='));
    if (!option.starts_with("--")) option = "-" + option;  // QEMU's way of writing it
    const std::string near = suggestion(option, candidates);
    return Error{
        ErrorKind::kUsage,
        fmt::format("there is no option '{}'{}", word,
                    near.empty() ? fmt::format("; `{} --help` lists them", app.get_name()) : near)};
  }
  return Error{ErrorKind::kUsage, fmt::format("'{}' is one word too many", words.front())};
}

// CLI11 counts ("--memory: At Most 1 required but received 2"); a person wants words.
Error mismatch(const CLI::ArgumentMismatch& error) {
  const std::string text = error.what();
  const std::string option = text.substr(0, text.find(':'));
  const bool twice = text.find("received") != std::string::npos;
  return Error{ErrorKind::kUsage,
               option + (twice ? ": given more than once" : ": its value is missing")};
}

}  // namespace

Result<bool> parse_arguments(CLI::App& app, const Words& words) {
  app.allow_extras();
  Words reversed = with_empty_values(words);
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return false;
  } catch (const CLI::ArgumentMismatch& error) {
    return tl::unexpected(mismatch(error));
  } catch (const CLI::ParseError& error) {
    return tl::unexpected(Error{ErrorKind::kUsage, error.what()});
  }
  if (const auto rest = app.remaining(); !rest.empty()) return tl::unexpected(surplus(app, rest));
  return true;
}

Result<Nanos> parse_seconds(std::string_view option, const std::string& text) {
  constexpr double kLongest = 1e9;  // 31 years
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(seconds) || seconds <= 0 || seconds > kLongest)
    return fail(ErrorKind::kUsage, "{} {}: expected a number of seconds greater than 0", option,
                text);
  return std::max<Nanos>(1, static_cast<Nanos>(seconds * static_cast<double>(kSecond)));
}

Error naming(std::string_view option, Error error) {
  if (!error.message.starts_with(option))
    error.message = fmt::format("{}: {}", option, error.message);
  return error;
}

}  // namespace kite
