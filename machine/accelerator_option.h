// The words of `--accel`: NAME[,property=value…][:NAME…].
#pragma once

#include <string_view>
#include <vector>

#include "accel/accelerator.h"
#include "base/result.h"

namespace kite {

// One accelerator of the list; parts of the text that was split.
struct AcceleratorWish {
  std::string_view name;
  std::vector<std::string_view> properties;
  std::string_view rest;  // the list behind it
};

// The list's members in order. Whether there is an accelerator of that name is the caller's
// question.
std::vector<AcceleratorWish> split_accelerators(std::string_view text);

// A property that the accelerator does not have is a usage error that names the closest.
Result<AcceleratorOptions> options_of(const AcceleratorWish& wish);

}  // namespace kite
