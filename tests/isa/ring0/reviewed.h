// The reviewed list: differences between KVM and the interpreter about which the manual has been
// asked, and what it says.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "tests/isa/ring0/judged.h"

namespace kite::ring0 {

struct Review {
  std::string_view what;     // of which instructions, when
  std::string_view kvm;      // what KVM does there
  std::string_view kite;     // what the interpreter does
  std::string_view verdict;  // the manual's, with the section
  // Does it explain this difference? The whole case is forgiven when all its differences are.
  bool (*explains)(const Judged& judged, const Difference& difference);
};

std::span<const Review> events_reviews();
std::span<const Review> system_reviews();
std::span<const Review> segments_reviews();

// All of them; the first that explains a difference counts.
const std::vector<Review>& reviews();

}  // namespace kite::ring0
