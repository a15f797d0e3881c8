// The named CPU models, as lists of features.
#pragma once

#include <span>
#include <string_view>

#include "accel/x86/feature.h"

namespace kite {

struct NamedCpuModel {
  std::string_view name;
  std::string_view brand;  // at most 47 characters
  std::span<const std::span<const Feature>> features;
};

// The first is the default.
std::span<const NamedCpuModel> named_cpu_models();

}  // namespace kite
