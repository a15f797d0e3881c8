#include "machine/device_option.h"

#include <charconv>

namespace kite {
namespace {

constexpr std::string_view kDebugExit = "isa-debug-exit", kTestDevice = "pc-testdev";

// Cuts what stands before the next comma off `rest`.
std::string_view next_part(std::string_view& rest) {
  const auto comma = rest.find(',');
  const std::string_view part = rest.substr(0, comma);
  rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
  return part;
}

// Decimal, or hexadecimal with 0x in front.
Result<u32> parse_number(std::string_view device, std::string_view name, std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = hexadecimal ? text.substr(2) : text;
  u32 number = 0;
  const char* end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, number, hexadecimal ? 16 : 10);
  if (digits.empty() || error != std::errc() || stopped != end)
    return fail(ErrorKind::kUsage, "--device {}: {}={}: expected a number", device, name, text);
  return number;
}

Result<DeviceOption> parse_debug_exit(std::string_view rest) {
  DeviceOption option;
  while (!rest.empty()) {
    const std::string_view part = next_part(rest);
    const auto equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    if (name != "iobase" && name != "iosize")
      return fail(ErrorKind::kUsage,
                  "--device {}: no such property: '{}'; there are iobase and iosize", kDebugExit,
                  name);
    const auto value = equals == part.npos ? std::string_view() : part.substr(equals + 1);
    const u32 number = KITE_TRY(parse_number(kDebugExit, name, value));
    if (number > 0xffff || (number == 0 && name == "iosize"))
      return fail(ErrorKind::kUsage, "--device {}: {}={}: there are 65536 ports", kDebugExit, name,
                  value);
    (name == "iobase" ? option.port : option.ports) = static_cast<u16>(number);
  }
  if (u32{option.port} + option.ports > 0x10000)
    return fail(ErrorKind::kUsage, "--device {}: its ports do not end before FFFFh", kDebugExit);
  return option;
}

}  // namespace

Result<DeviceOption> parse_device(std::string_view text) {
  std::string_view rest = text;
  const std::string_view name = next_part(rest);
  if (name == kDebugExit) return parse_debug_exit(rest);
  if (name == kTestDevice) {
    if (!rest.empty())
      return fail(ErrorKind::kUsage, "--device {}: no such property: '{}'", kTestDevice, rest);
    DeviceOption option;
    option.kind = DeviceOption::Kind::kTestDevice;
    return option;
  }
  return fail(ErrorKind::kUsage, "--device {}: no such device; there are {} and {}", name,
              kDebugExit, kTestDevice);
}

const DeviceOption* find_device(const std::vector<DeviceOption>& devices, DeviceOption::Kind kind) {
  for (const DeviceOption& device : devices)
    if (device.kind == kind) return &device;
  return nullptr;
}

}  // namespace kite
