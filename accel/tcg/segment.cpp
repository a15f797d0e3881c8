// Segmentation: descriptors, segment registers, and addresses outside 64-bit mode (SDM 3A chapters
// 3 and 5).
#include "accel/tcg/cpu.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {

namespace {

// Is [offset, offset + size) inside the segment? An expand-down segment is what lies above its
// limit (SDM 3A 5.3).
bool inside(const Segment& segment, u64 offset, unsigned size) {
  const u64 last = offset + size - 1;
  const bool expand_down =
      !(segment.type & segment_type::kCode) && (segment.type & segment_type::kExpandDown);
  if (!expand_down) return last <= segment.limit;
  return offset > segment.limit && last <= (segment.db ? 0xffffffffu : 0xffffu);
}

bool permits(const Segment& segment, Access access) {
  if (segment.unusable) return false;
  const bool code = segment.type & segment_type::kCode;
  if (access == Access::kWrite) return !code && (segment.type & segment_type::kWritable);
  return !code || (segment.type & segment_type::kReadable);
}

}  // namespace

bool Cpu::linear_address_slow(u8 number, u64 offset, unsigned size, Access access, u64& linear) {
  if (code64()) {
    linear = segment_base[number] + offset;
    return true;
  }
  const Segment& segment = segments[number];
  const bool checked = mode.protected_mode && !mode.v86;
  if ((checked && !permits(segment, access)) || !inside(segment, offset, size)) [[unlikely]] {
    raise_with_code(number == kSs ? kStackFault : kGeneralProtection, 0);
    return false;
  }
  linear = (segment.base + offset) & 0xffffffff;
  return true;
}

void Cpu::set_segment(SegmentRegister number, const Segment& segment) {
  segments[number] = segment;
  segment_base[number] = segment.base;
  if (number == kCs || number == kSs) update_mode();
}

bool Cpu::read_descriptor(u16 selector, std::array<u64, 2>& descriptor, u8 vector, bool wide) {
  const bool local = selector & selector::kTi;
  const u64 base = local ? ldtr.base : gdtr.base;
  const u64 limit = local ? (ldtr.unusable ? 0 : ldtr.limit) : gdtr.limit;
  const unsigned size = wide ? 16 : 8;
  const u16 index = selector::index(selector);
  if (index + size - 1 > limit || (local && ldtr.unusable)) {
    raise_with_code(vector, selector & 0xfffc);
    return false;
  }
  descriptor = {};
  return system_load(base + index, descriptor.data(), size);
}

bool Cpu::mark_accessed(u16 selector, u64 descriptor) {
  if (descriptor & descriptor::kAccessed) return true;
  const u64 base = selector & selector::kTi ? ldtr.base : gdtr.base;
  u8 access = static_cast<u8>(bits(descriptor, 47, 40));
  const u8 accessed = access | 1;
  // A descriptor that another processor has replaced meanwhile is left alone: as if it had done so
  // just after the bit was set.
  return system_exchange(base + selector::index(selector) + 5, access, accessed) !=
         Exchange::kFault;
}

Flow Cpu::load_segment(SegmentRegister number, u16 selector) {
  if (!mode.protected_mode || mode.v86) {
    Segment segment = segments[number];  // real mode keeps limit and rights
    segment.selector = selector;
    segment.base = u32{selector} << 4;
    if (mode.v86) segment.limit = 0xffff;
    segment.unusable = false;
    set_segment(number, segment);
    return Flow::kNext;
  }
  const u8 rpl = selector & selector::kRpl;
  const u32 code = selector & 0xfffc;
  if (code == 0) {
    if (number == kSs && (!code64() || cpl == 3 || rpl != cpl)) return general_protection();
    Segment segment = null_segment(selector, number == kSs ? cpl : 0);
    // 64-bit mode keeps the bases of FS and GS' hidden parts out of this: a null selector clears
    // them (AMD keeps, Intel clears).
    set_segment(number, segment);
    return Flow::kNext;
  }
  std::array<u64, 2> raw;
  if (!read_descriptor(selector, raw)) return Flow::kFault;
  Segment segment = unpack_descriptor(selector, raw[0]);
  const bool is_code = segment.type & segment_type::kCode;
  if (!segment.s) return general_protection(code);
  if (number == kSs) {
    if (rpl != cpl || segment.dpl != cpl || is_code || !(segment.type & segment_type::kWritable))
      return general_protection(code);
  } else {
    if (is_code && !(segment.type & segment_type::kReadable)) return general_protection(code);
    const bool conforming = is_code && (segment.type & segment_type::kConforming);
    if (!conforming && (rpl > segment.dpl || cpl > segment.dpl)) return general_protection(code);
  }
  if (!segment.present)
    return raise_with_code(number == kSs ? kStackFault : kSegmentNotPresent, code);
  if (!mark_accessed(selector, raw[0])) return Flow::kFault;
  segment.type |= segment_type::kAccessed;
  set_segment(number, segment);
  return Flow::kNext;
}

bool Cpu::inner_stack(u8 level, u64& rsp, u16& ss, u32 ext) {
  const bool is_32 = tr.type & 8;
  const unsigned size = long_mode() ? 8 : is_32 ? 4 : 2;
  const unsigned offset = long_mode() ? 4 + 8 * level : is_32 ? 4 + 8 * level : 2 + 4 * level;
  const unsigned needed = long_mode() ? offset + 8 : offset + size + 2;
  if (needed - 1 > tr.limit) {
    raise_with_code(kInvalidTss, (tr.selector & 0xfffc) | ext);
    return false;
  }
  rsp = 0;
  ss = 0;
  if (!system_load(tr.base + offset, &rsp, size)) return false;
  return long_mode() || system_load(tr.base + offset + size, &ss, 2);
}

bool Cpu::inner_stack_segment(u16 selector, u8 level, Segment& segment, u32 ext) {
  if (long_mode()) {
    segment = null_segment(level, level);
    return true;
  }
  const u32 code = (selector & 0xfffc) | ext;
  const auto invalid = [&] {
    raise_with_code(kInvalidTss, code);
    return false;
  };
  std::array<u64, 2> raw;
  if ((selector & 0xfffc) == 0) return invalid();
  if (!read_descriptor(selector, raw, kInvalidTss)) {
    if (fault.vector == kInvalidTss) fault.error_code |= ext;
    return false;
  }
  segment = unpack_descriptor(selector, raw[0]);
  const bool data = segment.s && !(segment.type & segment_type::kCode);
  if (!data || !(segment.type & segment_type::kWritable) || segment.dpl != level ||
      (selector & selector::kRpl) != level)
    return invalid();
  if (!segment.present) {
    raise_with_code(kStackFault, code);
    return false;
  }
  segment.type |= segment_type::kAccessed;
  return mark_accessed(selector, raw[0]);
}

bool Cpu::inner_stack(u8 level, NewStack& stack, u32 ext) {
  u16 selector;
  if (!inner_stack(level, stack.rsp, selector, ext)) return false;
  stack.level = level;
  stack.is_64 = long_mode();
  return inner_stack_segment(selector, level, stack.ss, ext);
}

bool Cpu::push_frame(NewStack& stack, std::span<const u64> words, unsigned size, u32 error) {
  const u64 mask = stack.is_64 ? ~u64{0} : stack.ss.db ? 0xffffffffu : 0xffffu;
  u64 rsp = stack.rsp;
  for (std::size_t i = words.size(); i-- > 0;) {
    const u64 at = (rsp - size) & mask;
    rsp = (rsp & ~mask) | at;
    const bool fits = stack.is_64 ? canonical(at) && canonical(at + size - 1)
                                  : permits(stack.ss, Access::kWrite) && inside(stack.ss, at, size);
    if (!fits) return raise_with_code(kStackFault, error), false;
    const u64 linear = stack.is_64 ? at : (stack.ss.base + at) & 0xffffffff;
    const bool stored = stack.level == 3 ? store_slow(linear, &words[i], size, true)
                                         : system_store(linear, &words[i], size);
    if (!stored) return false;
  }
  stack.rsp = rsp;
  return true;
}

void Cpu::take_stack(const NewStack& stack) {
  segments[kSs] = stack.ss;
  segment_base[kSs] = stack.ss.base;
  gpr[kRsp] = stack.rsp;
  update_mode();
}

Flow Cpu::enter_code(u16 selector, u64 descriptor, u8 new_cpl, u64 target) {
  Segment segment = unpack_descriptor(selector, descriptor);
  const bool is_64 = long_mode() && segment.l;
  if (is_64 ? !canonical(target) : target > segment.limit) return general_protection();
  if (!mark_accessed(selector, descriptor)) return Flow::kFault;
  segment.type |= segment_type::kAccessed;
  segment.selector = static_cast<u16>((selector & ~selector::kRpl) | new_cpl);
  cpl = new_cpl;
  set_segment(kCs, segment);
  rip = target;
  return Flow::kLeave;
}

}  // namespace kite::tcg
