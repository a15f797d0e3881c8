#include "tests/isa/ring0/reviewed.h"

#include <algorithm>

#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::ring0 {
namespace {

// Where the frame of the event that the case ends with begins, in memory.
u32 top_of_stack(const Outcome& outcome) {
  const X86State& s = outcome.state;
  return static_cast<u32>((s.gpr[kRsp] + (s.segments[kSs].unusable ? 0 : s.segments[kSs].base)) &
                          0xfffff);
}
u64 frame_word(const Judged& j, const Outcome& outcome, unsigned index) {
  const unsigned size = is_long(j.test.mode) ? 8 : j.test.mode == Mode::kReal ? 2 : 4;
  const u32 at = top_of_stack(outcome) + index * size;
  if (at + 8 > kRamSize) return 0;
  return load<u64>(outcome.ram.data() + at) & mask_of_bytes(size);
}
bool in_handler(const Judged& j) {
  return vector_of(j.kvm) >= 0 && vector_of(j.kvm) == vector_of(j.ours);
}
// Which bits of the flags pushed differ, if an event was delivered alike on both sides.
u64 pushed_flags_differ(const Judged& j) {
  const int vector = vector_of(j.kvm);
  if (!in_handler(j) || j.kvm.state.gpr[kRsp] != j.ours.state.gpr[kRsp]) return 0;
  const unsigned index = pushes_error_code(static_cast<u8>(vector)) ? 3 : 2;
  return frame_word(j, j.kvm, index) ^ frame_word(j, j.ours, index);
}
// Memory is the same but for those bits.
bool only_pushed_flags(const Judged& j, const Difference& d, u64 may) {
  if (!in_handler(j) || (pushed_flags_differ(j) & ~may)) return false;
  const unsigned size = is_long(j.test.mode) ? 8 : j.test.mode == Mode::kReal ? 2 : 4;
  const u32 at = top_of_stack(j.kvm) +
                 size * (pushes_error_code(static_cast<u8>(vector_of(j.kvm))) ? 3 : 2);
  return d.address >= at && d.address < at + size &&
         std::equal(j.kvm.ram.begin() + at + size, j.kvm.ram.end(),
                    j.ours.ram.begin() + at + size);
}
bool is_memory(const Difference& d) { return d.field.starts_with("memory:"); }
bool is_one_of(const Difference& d, std::initializer_list<std::string_view> fields) {
  return std::find(fields.begin(), fields.end(), d.field) != fields.end();
}

// clang-format off
constexpr Review kReviews[] = {
    {"RDTSC, RDTSCP", "its own counter", "its own counter", "two counters (SDM 3B 18.17)",
     [](const Judged& j, const Difference& d) {
       return (j.is("rdtsc") || j.is("rdtscp")) && is_one_of(d, {"rax", "rdx"});
     }},
    {"events in virtual-8086 mode", "leaves ES, DS, FS, GS alone and does not push them",
     "pushes and nulls them", "Kite (SDM 3B 20.3.1.1)",
     [](const Judged& j, const Difference& d) {
       return j.test.mode == Mode::kV86 && in_handler(j) &&
              j.kvm.state.gpr[kRsp] == j.ours.state.gpr[kRsp] + 16 &&
              (is_one_of(d, {"rsp", "memory:inner stack"}) || d.field.ends_with(".unusable") || d.field.ends_with(".selector"));
     }},
    {"events in long mode", "clears AC", "keeps AC",
     "Kite: TF, NT, RF and VM are cleared, and IF by interrupt gates (SDM 3A 6.12.1.3, 6.14)",
     [](const Judged& j, const Difference& d) {
       return is_long(j.test.mode) && vector_of(j.kvm) >= 0 && d.field == "rflags" && (d.ours & rflags::kAc) && !((d.kvm ^ d.ours) & ~(rflags::kAc | rflags::kIopl));
     }},
    {"events in 64-bit mode at level 3", "IOPL is 0", "IOPL is what was loaded",
     "Kite: an event saves and keeps IOPL (SDM 3A 6.12.1.3)",
     [](const Judged& j, const Difference& d) {
       if (j.test.mode != Mode::kLong || j.test.cpl != 3 || !in_handler(j)) return false;
       if (d.field == "rflags") return !((d.kvm ^ d.ours) & ~rflags::kIopl) && !(d.kvm & rflags::kIopl);
       return is_memory(d) && only_pushed_flags(j, d, rflags::kIopl);
     }},
};
// clang-format on

}  // namespace

bool Judged::differs(std::string_view field) const {
  return std::any_of(all.begin(), all.end(), [&](const Difference& d) { return d.field == field; });
}

std::span<const Review> reviews() {
  return kReviews;
}

}  // namespace kite::ring0
