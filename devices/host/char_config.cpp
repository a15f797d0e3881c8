#include <algorithm>
#include <array>
#include <charconv>

#include "base/nearest.h"
#include "devices/host/char_backend.h"

namespace kite {

namespace {

using Kind = CharConfig::Kind;

constexpr std::array<std::string_view, 5> kKinds = {"null", "stdio", "file", "unix", "tcp"};
constexpr std::array<std::string_view, 3> kSocketOptions = {"server", "wait", "nowait"};
constexpr std::string_view kExpected =
    "expected null, stdio, file:PATH, unix:PATH[,server][,wait] or tcp:HOST:PORT[,server][,wait]";

// The text before the first `separator`, which is removed from `text` with it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

Result<bool> parse_switch(std::string_view option, std::string_view value, bool has_value) {
  if (!has_value || value == "on") return true;
  if (value == "off") return false;
  return fail(ErrorKind::kUsage, "{}={}: expected on or off", option, value);
}

Result<> parse_socket_options(std::string_view text, CharConfig& config) {
  while (!text.empty()) {
    std::string_view value = take_until(text, ',');
    const bool has_value = value.find('=') != std::string_view::npos;
    const std::string_view option = take_until(value, '=');
    const bool on = KITE_TRY(parse_switch(option, value, has_value));
    if (option == "server") {
      config.server = on;
    } else if (option == "wait") {
      config.wait = on;
    } else if (option == "nowait") {
      config.wait = !on;
    } else {
      return fail(ErrorKind::kUsage, "'{}' is no option of a socket{}", option,
                  suggestion(option, kSocketOptions));
    }
  }
  if (config.wait && !config.server)
    return fail(ErrorKind::kUsage, "'wait' needs 'server': a client connects at once");
  return {};
}

// HOST:PORT, where HOST may be an IPv6 address in brackets.
Result<> parse_tcp(std::string_view text, CharConfig& config) {
  std::string_view address = take_until(text, ',');
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos)
    return fail(ErrorKind::kUsage, "'tcp:{}' has no port: expected tcp:HOST:PORT", address);
  std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), config.port);
  if (error != std::errc() || end != port.data() + port.size() || config.port == 0)
    return fail(ErrorKind::kUsage, "'tcp:{}': port '{}' is not a number from 1 to 65535", address,
                port);
  config.host = host.empty() ? "localhost" : std::string(host);
  return parse_socket_options(text, config);
}

Result<> parse_unix(std::string_view text, CharConfig& config) {
  config.path = take_until(text, ',');
  if (config.path.empty()) return fail(ErrorKind::kUsage, "'unix:' has no path");
  return parse_socket_options(text, config);
}

}  // namespace

Result<CharConfig> parse_char_backend(std::string_view text) {
  std::string_view rest = text;
  const bool has_rest = text.find(':') != std::string_view::npos;
  const std::string_view kind = take_until(rest, ':');
  CharConfig config;
  if ((kind == "null" || kind == "none") && !has_rest) {
    config.kind = Kind::kNull;
  } else if (kind == "stdio" && !has_rest) {
    config.kind = Kind::kStdio;
  } else if (kind == "file" && has_rest) {
    config.kind = Kind::kFile;
    config.path = rest;
    if (rest.empty()) return fail(ErrorKind::kUsage, "'file:' has no path");
  } else if (kind == "unix" && has_rest) {
    config.kind = Kind::kUnix;
    KITE_CHECK(parse_unix(rest, config));
  } else if (kind == "tcp" && has_rest) {
    config.kind = Kind::kTcp;
    KITE_CHECK(parse_tcp(rest, config));
  } else {
    const bool known = std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end();
    return fail(ErrorKind::kUsage, "'{}' is no place for a console: {}{}", text, kExpected,
                known ? "" : suggestion(kind, kKinds));
  }
  return config;
}

}  // namespace kite
