// DeviceOption: a chip that `--device` adds to the board, as plain data.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

struct DeviceOption {
  enum class Kind { kDebugExit, kTestDevice };
  Kind kind = Kind::kDebugExit;
  u16 port = 0xf4;  // isa-debug-exit: the first port and how many
  u16 ports = 4;
};

// "isa-debug-exit[,iobase=PORT][,iosize=COUNT]" or "pc-testdev", QEMU's names. Errors (kUsage) name
// the device or the property.
Result<DeviceOption> parse_device(std::string_view text);

// Is a device of this kind among them?
const DeviceOption* find_device(const std::vector<DeviceOption>& devices, DeviceOption::Kind kind);

}  // namespace kite
