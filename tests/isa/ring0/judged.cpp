#include "tests/isa/ring0/judged.h"

#include <algorithm>

#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::ring0 {
namespace {

unsigned word_size(const Judged& j) {
  return is_long(j.test.mode) ? 8 : j.test.mode == Mode::kReal ? 2 : 4;
}

bool has_error_code(const Judged& j, int vector) {
  return j.test.mode != Mode::kReal && pushes_error_code(static_cast<u8>(vector));
}

}  // namespace

u32 top_of_stack(const Outcome& outcome) {
  const X86State& s = outcome.state;
  return static_cast<u32>((s.gpr[kRsp] + (s.segments[kSs].unusable ? 0 : s.segments[kSs].base)) &
                          0xfffff);
}
u64 frame_word(const Judged& j, const Outcome& outcome, unsigned index) {
  const unsigned size = word_size(j);
  const u32 at = top_of_stack(outcome) + index * size;
  if (at + 8 > kRamSize) return 0;
  return load<u64>(outcome.ram.data() + at) & mask_of_bytes(size);
}
bool in_handler(const Judged& j) {
  return vector_of(j.kvm) >= 0 && vector_of(j.kvm) == vector_of(j.ours);
}
u64 pushed_flags_differ(const Judged& j) {
  const int vector = vector_of(j.kvm);
  if (!in_handler(j) || j.kvm.state.gpr[kRsp] != j.ours.state.gpr[kRsp]) return 0;
  const unsigned index = has_error_code(j, vector) ? 3 : 2;
  return frame_word(j, j.kvm, index) ^ frame_word(j, j.ours, index);
}
bool only_pushed_flags(const Judged& j, const Difference& d, u64 may) {
  if (!in_handler(j) || (pushed_flags_differ(j) & ~may)) return false;
  const unsigned size = word_size(j);
  const u32 at = top_of_stack(j.kvm) + size * (has_error_code(j, vector_of(j.kvm)) ? 3 : 2);
  return d.address >= at && d.address < at + size && at + size <= kRamSize &&
         std::equal(j.kvm.ram.begin() + at + size, j.kvm.ram.end(), j.ours.ram.begin() + at + size);
}
bool is_memory(const Difference& d) {
  return d.field.starts_with("memory:");
}
bool is_one_of(const Difference& d, std::initializer_list<std::string_view> fields) {
  return std::find(fields.begin(), fields.end(), d.field) != fields.end();
}

bool faulted(const Judged& j, const Outcome& outcome, int vector) {
  if (outcome.end != End::kHalted || vector_of(outcome) != vector) return false;
  const unsigned index = has_error_code(j, vector);
  const u64 mask = j.test.mode == Mode::kReal ? 0xffff : ~u64{0};
  return frame_word(j, outcome, index) == (j.test.state.rip & mask);
}
bool refuses(const Judged& j, int vector) {
  return faulted(j, j.ours, vector) || j.ours.end == End::kShutdown;
}
bool goes_on(const Judged& j) {
  return vector_of(j.kvm) == -1 ||
         (vector_of(j.kvm) == kDebugException && (j.test.state.rflags & rflags::kTf));
}
u64 error_code(const Judged& j, const Outcome& outcome) {
  return frame_word(j, outcome, 0);
}
bool has(const Judged& j, u64 cr4_bit) {
  return j.test.state.cr4 & cr4_bit;
}
bool ends_with(const Judged& j, std::initializer_list<u8> bytes) {
  const auto& code = j.test.code;
  return code.size() >= bytes.size() &&
         std::equal(bytes.begin(), bytes.end(),
                    code.end() - static_cast<std::ptrdiff_t>(bytes.size()));
}
bool is_wide(const Judged& j) {
  return std::find(j.test.code.begin(), j.test.code.end(), 0x48) != j.test.code.end();
}
u64 iopl(const Judged& j) {
  return j.test.state.rflags >> rflags::kIoplShift & 3;
}
bool is_any(const Judged& j, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), j.test.name) != names.end();
}
bool from_user64(const Judged& j) {
  if (!is_long(j.test.mode) || vector_of(j.ours) < 0) return false;
  const unsigned index = has_error_code(j, vector_of(j.ours)) ? 2 : 1;
  return (frame_word(j, j.ours, index) & 3) == 3;
}
bool iopl_lost(const Judged& j) {
  return in_handler(j) &&
         !((j.kvm.state.rflags ^ j.ours.state.rflags) & ~(rflags::kIopl | rflags::kAc));
}
bool is_user64(const Judged& j) {
  return j.test.mode == Mode::kLong && j.test.cpl == 3;
}
bool is_frame(const Judged& j, const Difference& d) {
  return is_memory(d) && d.address >= top_of_stack(j.ours) && d.address < top_of_stack(j.ours) + 64;
}

bool crosses_a_page(u64 address) {
  return (address & 0xfff) > 0xff0;
}

}  // namespace kite::ring0
