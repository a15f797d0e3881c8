#include "machine/accelerator_option.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>

#include "base/nearest.h"

namespace kite {
namespace {

// A property that is on or off. Known also where the accelerator is not part of the build, as its
// name is.
struct Switch {
  std::string_view accelerator;
  std::string_view name;
  std::optional<bool> AcceleratorOptions::*option;
};
constexpr Switch kSwitches[] = {
    {"kvm", "kernel-irqchip", &AcceleratorOptions::kernel_irqchip},
    {"tcg", "translator", &AcceleratorOptions::translator},
    {"tcg", "flat-table", &AcceleratorOptions::flat_table},
};

constexpr std::string_view kKvm = "kvm", kDirtyRingSize = "dirty-ring-size";

// Entries: as many as KVM takes at least, and at most (KVM_DIRTY_RING_MAX_ENTRIES).
Result<u32> parse_ring_size(std::string_view value) {
  constexpr u32 kFewest = 1024, kMost = 65536;
  u32 entries = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), entries);
  const bool number = problem == std::errc() && end == value.data() + value.size();
  if (number && std::has_single_bit(entries) && entries >= kFewest && entries <= kMost)
    return entries;
  return fail(ErrorKind::kUsage, "--accel {}: {}={}: expected a power of two from {} to {}", kKvm,
              kDirtyRingSize, value, kFewest, kMost);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

tl::unexpected<Error> no_such_property(std::string_view accelerator, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Switch& known : kSwitches)
    if (known.accelerator == accelerator) names.push_back(known.name);
  if (accelerator == kKvm) names.push_back(kDirtyRingSize);
  if (names.empty())
    return fail(ErrorKind::kUsage, "--accel {}: '{}': {} has no properties", accelerator, name,
                accelerator);
  return fail(ErrorKind::kUsage, "--accel {}: no such property: '{}'{}", accelerator, name,
              suggestion(name, names));
}

Result<> parse_property(std::string_view accelerator, std::string_view text,
                        AcceleratorOptions& options) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::string_view value = equals == text.npos ? "" : text.substr(equals + 1);
  if (accelerator == kKvm && name == kDirtyRingSize) {
    options.dirty_ring_size = KITE_TRY(parse_ring_size(value));
    return {};
  }
  for (const Switch& known : kSwitches) {
    if (known.accelerator != accelerator || known.name != name) continue;
    if (value != "on" && value != "off")
      return fail(ErrorKind::kUsage, "--accel {}: {}={}: expected on or off", accelerator, name,
                  value);
    options.*known.option = value == "on";
    return {};
  }
  return no_such_property(accelerator, name);
}

}  // namespace

std::vector<AcceleratorWish> split_accelerators(std::string_view text) {
  std::vector<AcceleratorWish> wishes;
  for (std::string_view member : split(text, ':')) {
    std::vector<std::string_view> words = split(member, ',');
    const auto end = static_cast<std::size_t>(member.data() + member.size() - text.data());
    wishes.push_back({words.front(),
                      {words.begin() + 1, words.end()},
                      end < text.size() ? text.substr(end + 1) : ""});
  }
  return wishes;
}

Result<AcceleratorOptions> options_of(const AcceleratorWish& wish) {
  AcceleratorOptions options;
  for (std::string_view property : wish.properties)
    KITE_CHECK(parse_property(wish.name, property, options));
  return options;
}

}  // namespace kite
