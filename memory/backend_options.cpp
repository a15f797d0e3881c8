// The text after --memory-backend, and the sizes in it.
#include <algorithm>
#include <charconv>

#include "base/nearest.h"
#include "memory/backend.h"
#include "memory/backend_table.h"

namespace kite {

namespace {

constexpr u32 kMaxNode = 4095;  // no host has more; bounds the expansion of a range
constexpr u32 kMaxPreallocThreads = 256;

struct Assignment {
  const std::string& kind;
  std::string_view option;
  std::string_view value;

  tl::unexpected<Error> failure(std::string_view expected) const {
    return fail(ErrorKind::kUsage, "memory backend '{}': {}={} is not {}", kind, option, value,
                expected);
  }
};

std::optional<u64> parse_number(std::string_view text) {
  u64 number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<bool> parse_switch(const Assignment& given) {
  for (std::string_view yes : {"on", "yes", "true", "y"})
    if (given.value == yes) return true;
  for (std::string_view no : {"off", "no", "false", "n"})
    if (given.value == no) return false;
  return given.failure("on or off");
}

Result<u64> parse_size_option(const Assignment& given) {
  if (auto size = parse_size(given.value)) return *size;
  return given.failure("a size such as 512M, 4G or 1048576");
}

template <auto Member>
Result<> set_switch(BackendConfig& config, const Assignment& given) {
  config.*Member = KITE_TRY(parse_switch(given));
  return {};
}

template <auto Member>
Result<> set_size(BackendConfig& config, const Assignment& given) {
  config.*Member = KITE_TRY(parse_size_option(given));
  return {};
}

template <auto Member>
Result<> set_text(BackendConfig& config, const Assignment& given) {
  if (given.value.empty() || given.value.find('\0') != std::string_view::npos)
    return given.failure("a usable text");
  config.*Member = std::string(given.value);
  return {};
}

Result<> set_rom(BackendConfig& config, const Assignment& given) {
  if (given.value == "auto") return {};
  return set_switch<&BackendConfig::rom>(config, given);
}

Result<> set_threads(BackendConfig& config, const Assignment& given) {
  const auto threads = parse_number(given.value);
  if (!threads || *threads == 0 || *threads > kMaxPreallocThreads)
    return given.failure(fmt::format("a number from 1 to {}", kMaxPreallocThreads));
  config.prealloc_threads = static_cast<u32>(*threads);
  return {};
}

// "2" or "0-3"; the option may be given several times.
Result<> add_nodes(BackendConfig& config, const Assignment& given) {
  const auto dash = given.value.find('-');
  const auto first = parse_number(given.value.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : parse_number(given.value.substr(dash + 1));
  if (!first || !last || *first > *last || *last > kMaxNode)
    return given.failure("a NUMA node or a range of them");
  for (u64 node = *first; node <= *last; ++node)
    if (std::find(config.host_nodes.begin(), config.host_nodes.end(), node) ==
        config.host_nodes.end())
      config.host_nodes.push_back(static_cast<u32>(node));
  return {};
}

struct Option {
  std::string_view name;
  Result<> (*set)(BackendConfig&, const Assignment&);
};

constexpr Option kOptions[] = {
    {"size", set_size<&BackendConfig::size>},
    {"share", set_switch<&BackendConfig::share>},
    {"prealloc", set_switch<&BackendConfig::prealloc>},
    {"prealloc-threads", set_threads},
    {"merge", set_switch<&BackendConfig::merge>},
    {"dump", set_switch<&BackendConfig::dump>},
    {"reserve", set_switch<&BackendConfig::reserve>},
    {"host-nodes", add_nodes},
    {"policy", set_text<&BackendConfig::policy>},
    {"seal", set_switch<&BackendConfig::seal>},
    {"hugetlb", set_switch<&BackendConfig::hugetlb>},
    {"hugetlbsize", set_size<&BackendConfig::hugetlbsize>},
    {"mem-path", set_text<&BackendConfig::mem_path>},
    {"offset", set_size<&BackendConfig::offset>},
    {"align", set_size<&BackendConfig::align>},
    {"readonly", set_switch<&BackendConfig::readonly>},
    {"rom", set_rom},
    {"discard-data", set_switch<&BackendConfig::discard_data>},
};

// Splits at commas; two commas in a row are one comma of the text, as in QEMU's option syntax.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      parts.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      parts.back() += ',';
      ++i;
    } else {
      parts.emplace_back();
    }
  }
  return parts;
}

tl::unexpected<Error> unknown_option(const std::string& kind, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Option& option : kOptions)
    if (option_applies(kind, option.name)) names.push_back(option.name);
  return fail(ErrorKind::kUsage, "memory backend '{}' has no option '{}'{}", kind, name,
              suggestion(name, names));
}

Result<> assign(BackendConfig& config, std::string_view text, std::vector<std::string_view>& seen) {
  const auto equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const auto* option = std::find_if(std::begin(kOptions), std::end(kOptions),
                                    [&](const Option& known) { return known.name == name; });
  if (option == std::end(kOptions) || !option_applies(config.kind, name))
    return unknown_option(config.kind, name);
  if (equals == std::string_view::npos)
    return fail(ErrorKind::kUsage, "memory backend '{}': option '{}' needs a value: {}=VALUE",
                config.kind, name, name);
  const Assignment given{config.kind, name, text.substr(equals + 1)};
  const bool repeated = std::find(seen.begin(), seen.end(), name) != seen.end();
  if (repeated && name != "host-nodes")
    return fail(ErrorKind::kUsage, "memory backend '{}': {}={} contradicts an earlier {}",
                config.kind, name, given.value, name);
  seen.push_back(option->name);
  return option->set(config, given);
}

}  // namespace

Result<BackendConfig> parse_backend(std::string_view text) {
  const std::vector<std::string> parts = split(text);
  BackendConfig config;
  config.kind = parts[0];
  KITE_TRY(find_backend(config.kind));
  std::vector<std::string_view> seen;
  for (std::size_t i = 1; i < parts.size(); ++i) KITE_CHECK(assign(config, parts[i], seen));
  if (std::find(seen.begin(), seen.end(), "size") != seen.end() && config.size == 0)
    return fail(ErrorKind::kUsage, "memory backend '{}': size=0 is no memory at all", config.kind);
  return config;
}

Result<u64> parse_size(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  std::string_view digits = text;
  unsigned shift = 0;
  if (!text.empty()) {
    const char last = text.back();
    const auto unit = kUnits.find(last >= 'a' && last <= 'z' ? static_cast<char>(last - 32) : last);
    if (unit != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(unit) + 1);
      digits.remove_suffix(1);
    }
  }
  const auto number = parse_number(digits);
  if (!number || *number > (~u64{0} >> shift))
    return fail(ErrorKind::kUsage, "'{}' is not a size such as 512M, 4G or 1048576", text);
  return *number << shift;
}

}  // namespace kite
