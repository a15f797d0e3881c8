// The chips Kite has, as `kite list devices` shows them.
#pragma once

#include <span>
#include <string_view>

namespace kite {

struct DeviceKind {
  std::string_view name;
  std::string_view bus;  // "system": soldered onto a board and wired there
  std::string_view description;
};

// Ascending by name.
std::span<const DeviceKind> device_kinds();

}  // namespace kite
