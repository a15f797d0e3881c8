// What the conformance tests run on: each accelerator, with each set of interrupt controllers.
#pragma once

#include <string>
#include <vector>

namespace kite {

// Values of --accel. The set-ups of every host, so that one that this host or build lacks shows as
// skipped.
const std::vector<std::string>& set_ups();

// As a part of a test's name.
std::string name_of_set_up(std::string set_up);

// Empty: usable.
std::string why_not(const std::string& set_up);

}  // namespace kite
