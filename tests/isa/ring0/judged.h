// What the reviewed list asks about a case and its two outcomes.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "accel/x86/cpu_model.h"
#include "tests/isa/ring0/compare.h"

namespace kite::ring0 {

struct Judged {
  const Case& test;
  const Outcome& kvm;
  const Outcome& ours;
  const std::vector<Difference>& all;
  const CpuModel& model;

  bool is(std::string_view name) const { return test.name == name; }
  bool starts(std::string_view prefix) const { return test.name.starts_with(prefix); }
};

// The case.
bool is_any(const Judged& j, std::initializer_list<std::string_view> names);
bool has(const Judged& j, u64 cr4_bit);
u64 iopl(const Judged& j);
bool is_user64(const Judged& j);  // level 3 of 64-bit mode
bool is_wide(const Judged& j);    // REX.W
bool ends_with(const Judged& j, std::initializer_list<u8> bytes);

// The difference.
bool is_memory(const Difference& d);
bool is_one_of(const Difference& d, std::initializer_list<std::string_view> fields);
bool is_frame(const Judged& j, const Difference& d);  // where the interpreter's frame stands
bool crosses_a_page(u64 address);

// The events that the outcomes end with.
u32 top_of_stack(const Outcome& outcome);  // in memory
u64 frame_word(const Judged& j, const Outcome& outcome, unsigned index);
u64 error_code(const Judged& j, const Outcome& outcome);
// Both in the handler of the same vector.
bool in_handler(const Judged& j);
// Has the instruction of the case itself raised it?
bool faulted(const Judged& j, const Outcome& outcome, int vector);
// Has the interpreter raised it, if perhaps without a stack to deliver it on?
bool refuses(const Judged& j, int vector);
// Has KVM gone on behind the instruction, if perhaps to its step under TF?
bool goes_on(const Judged& j);
// Did the event come out of level 3 of long mode? (SYSRET and far branches go there.)
bool from_user64(const Judged& j);
// Which bits of the flags pushed differ, if an event was delivered alike on both sides.
u64 pushed_flags_differ(const Judged& j);
// From there up memory is the same but for these bits.
bool only_pushed_flags(const Judged& j, const Difference& d, u64 may);
// The same event, but IOPL, and perhaps AC, is gone.
bool iopl_lost(const Judged& j);

}  // namespace kite::ring0
