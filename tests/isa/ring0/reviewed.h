// The reviewed list: differences between KVM and the interpreter about which the manual has been
// asked, and what it says.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "accel/x86/cpu_model.h"
#include "tests/isa/ring0/compare.h"

namespace kite::ring0 {

// A case that has been run on both sides, and a field in which they differ.
struct Judged {
  const Case& test;
  const Outcome& kvm;
  const Outcome& ours;
  const std::vector<Difference>& all;
  const CpuModel& model;

  bool is(std::string_view name) const { return test.name == name; }
  bool starts(std::string_view prefix) const { return test.name.starts_with(prefix); }
  bool differs(std::string_view field) const;
};

struct Review {
  std::string_view what;     // of which instructions, when
  std::string_view kvm;      // what KVM does there
  std::string_view kite;     // what the interpreter does
  std::string_view verdict;  // the manual's, with the section
  // Does it explain this difference? The whole case is forgiven when all its differences are.
  bool (*explains)(const Judged& judged, const Difference& difference);
};

std::span<const Review> reviews();

}  // namespace kite::ring0
