// Hardware task switches (SDM 3A chapter 7): the registers go into the TSS of the task that leaves
// and come from the TSS of the one that enters. Long mode has none.
//
// Until the old state is saved a fault belongs to the old task and nothing has changed. From then
// on the new task is there, with as many of its segments as could be loaded, and a fault is one
// that its first instruction seems to raise (SDM 3A 7.3, table 7-1).
#include "accel/tcg/cpu.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {

namespace {

// Where things stand in a TSS (SDM 3A figures 7-2 and 7-10). Saved are `ip` to the last selector.
struct Layout {
  unsigned word, ip, flags, gpr, selectors, selector_count, ldt, size;
};
constexpr Layout kLayout32 = {4, 0x20, 0x24, 0x28, 0x48, 6, 0x60, 0x68};
constexpr Layout kLayout16 = {2, 0x0e, 0x10, 0x12, 0x22, 4, 0x2a, 0x2c};
constexpr unsigned kCr3 = 0x1c, kDebugTrap = 0x64;
constexpr u64 kSettableFlags = 0x3f7fd7;
constexpr u64 kLocalBreakpoints = 0x155;  // DR7: L0…L3 and LE

const Layout& layout_of(const Segment& tss) {
  return tss.type & 8 ? kLayout32 : kLayout16;
}

using Image = std::array<u8, kLayout32.size>;

u32 get(const Image& image, const Layout& layout, unsigned offset) {
  return layout.word == 4 ? load<u32>(&image[offset]) : load<u16>(&image[offset]);
}
void put(Image& image, const Layout& layout, unsigned offset, u64 value) {
  if (layout.word == 4)
    store<u32>(&image[offset], static_cast<u32>(value));
  else
    store<u16>(&image[offset], static_cast<u16>(value));
}

bool refuse(Cpu& cpu, u8 vector, u32 error) {
  cpu.raise_with_code(vector, error);
  return false;
}

bool read_for_task(Cpu& cpu, u16 selector, std::array<u64, 2>& raw, u8 vector, u32 ext) {
  if (cpu.read_descriptor(selector, raw, vector)) return true;
  if (cpu.fault.vector == vector) cpu.fault.error_code |= ext;
  return false;
}

// The TSS that is to be entered.
bool find_task(Cpu& cpu, u16 selector, bool returns, u32 ext, Segment& tss) {
  const u8 vector = returns ? kInvalidTss : kGeneralProtection;
  const u32 code = (selector & 0xfffc) | ext;
  if (!(selector & 0xfffc) || (selector & selector::kTi)) return refuse(cpu, vector, code);
  std::array<u64, 2> raw;
  if (!read_for_task(cpu, selector, raw, vector, ext)) return false;
  tss = unpack_descriptor(selector, raw[0]);
  const u8 available = returns ? tss.type & ~system_type::kBusy : tss.type;
  const bool wrong = returns && !(tss.type & system_type::kBusy);
  if (tss.s || wrong || (available != system_type::kTss && available != system_type::kTss16))
    return refuse(cpu, vector, code);
  if (!tss.present) return refuse(cpu, kSegmentNotPresent, code);
  if (tss.limit < layout_of(tss).size - 1) return refuse(cpu, kInvalidTss, code);
  return true;
}

u64 access_byte(const Cpu& cpu, u16 selector) {
  return cpu.gdtr.base + selector::index(selector) + 5;
}

// Whatever the switch will touch is there (SDM 3A 7.3, step 5).
bool probe_all(Cpu& cpu, const Segment& next, TaskCause cause) {
  const unsigned old_size = layout_of(cpu.tr).size;
  if (cpu.tr.limit < old_size - 1) return refuse(cpu, kInvalidTss, cpu.tr.selector & 0xfffc);
  const bool leaves = cause == TaskCause::kJump || cause == TaskCause::kReturn;
  const bool nests = cause == TaskCause::kCall || cause == TaskCause::kEvent;
  return cpu.system_probe(cpu.tr.base, old_size, Access::kWrite) &&
         cpu.system_probe(next.base, layout_of(next).size, Access::kRead) &&
         (!nests || cpu.system_probe(next.base, 2, Access::kWrite)) &&
         (!leaves || cpu.system_probe(access_byte(cpu, cpu.tr.selector), 1, Access::kWrite)) &&
         (cause == TaskCause::kReturn ||
          cpu.system_probe(access_byte(cpu, next.selector), 1, Access::kWrite));
}

void set_busy(Cpu& cpu, u16 selector, bool busy) {
  u8 access = 0;
  cpu.system_load(access_byte(cpu, selector), &access, 1);
  access = static_cast<u8>(busy ? access | system_type::kBusy : access & ~system_type::kBusy);
  cpu.system_store(access_byte(cpu, selector), &access, 1);
}

void save(Cpu& cpu, u64 rip, u64 flags) {
  const Layout& layout = layout_of(cpu.tr);
  Image image = {};
  put(image, layout, layout.ip, rip);
  put(image, layout, layout.flags, flags);
  for (unsigned i = 0; i < 8; ++i) put(image, layout, layout.gpr + i * layout.word, cpu.gpr[i]);
  for (unsigned i = 0; i < layout.selector_count; ++i)
    put(image, layout, layout.selectors + i * layout.word, cpu.segments[i].selector);
  const unsigned end = layout.selectors + layout.selector_count * layout.word;
  cpu.system_store(cpu.tr.base + layout.ip, &image[layout.ip], end - layout.ip);
}

// General registers, flags and visible selectors; the segments behind these come after.
void load_registers(Cpu& cpu, const Image& image, const Layout& layout, bool nests) {
  for (unsigned i = 0; i < 8; ++i) {
    const u32 value = get(image, layout, layout.gpr + i * layout.word);
    // The upper halves after a 16-bit task are undefined; processors leave ones.
    cpu.gpr[i] = layout.word == 4 ? value : value | 0xffff0000u;
  }
  cpu.rip = get(image, layout, layout.ip);
  u64 flags = get(image, layout, layout.flags) & kSettableFlags;
  if (nests) flags |= rflags::kNt;
  std::array<u16, 6> selectors = {};
  for (unsigned i = 0; i < layout.selector_count; ++i)
    selectors[i] = load<u16>(&image[layout.selectors + i * layout.word]);
  cpu.cpl = flags & rflags::kVm ? 3 : selectors[kCs] & selector::kRpl;
  for (unsigned i = 0; i < 6; ++i) {
    cpu.segments[i] = null_segment(selectors[i], i == kSs ? cpu.cpl : 0);
    cpu.segment_base[i] = 0;
  }
  cpu.ldtr = null_segment(load<u16>(&image[layout.ldt]), 0);
  cpu.set_rflags(flags);
  cpu.update_mode();
}

bool load_local_table(Cpu& cpu, u32 ext) {
  const u16 selector = cpu.ldtr.selector;
  if (!(selector & 0xfffc)) return true;
  const u32 code = (selector & 0xfffc) | ext;
  if (selector & selector::kTi) return refuse(cpu, kInvalidTss, code);
  std::array<u64, 2> raw;
  if (!read_for_task(cpu, selector, raw, kInvalidTss, ext)) return false;
  const Segment segment = unpack_descriptor(selector, raw[0]);
  if (segment.s || segment.type != system_type::kLdt || !segment.present)
    return refuse(cpu, kInvalidTss, code);
  cpu.ldtr = segment;
  return true;
}

// May the new task have this segment in this register?
bool suits(const Cpu& cpu, SegmentRegister number, const Segment& segment) {
  const u8 rpl = segment.selector & selector::kRpl;
  const bool code = segment.type & segment_type::kCode;
  const bool conforming = code && (segment.type & segment_type::kConforming);
  if (!segment.s) return false;
  if (number == kCs) return code && (conforming ? segment.dpl <= rpl : segment.dpl == rpl);
  if (number == kSs)
    return !code && (segment.type & segment_type::kWritable) && segment.dpl == cpu.cpl &&
           rpl == cpu.cpl;
  if (code && !(segment.type & segment_type::kReadable)) return false;
  return conforming || (segment.dpl >= cpu.cpl && segment.dpl >= rpl);
}

bool load_task_segment(Cpu& cpu, SegmentRegister number, u32 ext) {
  const u16 selector = cpu.segments[number].selector;
  const u32 code = (selector & 0xfffc) | ext;
  if (!(selector & 0xfffc))
    return (number != kCs && number != kSs) || refuse(cpu, kInvalidTss, code);
  std::array<u64, 2> raw;
  if (!read_for_task(cpu, selector, raw, kInvalidTss, ext)) return false;
  Segment segment = unpack_descriptor(selector, raw[0]);
  if (!suits(cpu, number, segment)) return refuse(cpu, kInvalidTss, code);
  if (!segment.present) return refuse(cpu, number == kSs ? kStackFault : kSegmentNotPresent, code);
  if (!cpu.mark_accessed(selector, raw[0])) return false;
  segment.type |= segment_type::kAccessed;
  cpu.set_segment(number, segment);
  return true;
}

bool load_segments(Cpu& cpu, u32 ext) {
  if (!load_local_table(cpu, ext)) return false;
  for (SegmentRegister number : {kCs, kSs, kDs, kEs, kFs, kGs}) {
    if (cpu.mode.v86)
      cpu.set_segment(number, virtual_8086_segment(cpu.segments[number].selector));
    else if (!load_task_segment(cpu, number, ext))
      return false;
  }
  return cpu.rip <= cpu.segments[kCs].limit || refuse(cpu, kGeneralProtection, ext);
}

bool load_cr3(Cpu& cpu, const Image& image, const Layout& layout, u32 ext) {
  if (!(cpu.cr0 & cr0::kPg) || layout.word != 4) return true;
  const u32 value = load<u32>(&image[kCr3]);
  if (!cpu.load_pdptes(value, cpu.cr0, cpu.cr4)) return refuse(cpu, kGeneralProtection, ext);
  cpu.cr3 = value;
  cpu.tlb.select(0, false);
  return true;
}

}  // namespace

TaskSwitch Cpu::switch_task(u16 selector, TaskCause cause, u64& return_rip, const Fault* event) {
  const bool outside = event && event->kind != Fault::Kind::kSoftwareInterrupt;
  const u32 ext = outside ? selector_error::kExternal : 0;
  const bool nests = cause == TaskCause::kCall || cause == TaskCause::kEvent;
  const bool returns = cause == TaskCause::kReturn;
  Segment next;
  if (!find_task(*this, selector, returns, ext, next) || !probe_all(*this, next, cause))
    return TaskSwitch::kRefused;

  u64 flags = rflags() & ~rflags::kRf;
  if (event && event->kind == Fault::Kind::kFault) flags |= rflags::kRf;
  if (returns) flags &= ~rflags::kNt;
  if (!nests) set_busy(*this, tr.selector, false);
  save(*this, return_rip, flags);
  if (nests) system_store(next.base, &tr.selector, 2);
  if (!returns) set_busy(*this, selector, true);
  next.type |= system_type::kBusy;
  tr = next;
  cr0 |= cr0::kTs;
  dr7 &= ~kLocalBreakpoints;

  const Layout& layout = layout_of(next);
  Image image = {};
  bool good = system_load(next.base, image.data(), layout.size);
  good = good && load_cr3(*this, image, layout, ext);
  load_registers(*this, image, layout, nests);
  return_rip = rip;
  if (!good || !load_segments(*this, ext)) return TaskSwitch::kFaulted;
  if (event && event->has_error_code &&
      !(layout.word == 4 ? push<u32>(event->error_code)
                         : push<u16>(static_cast<u16>(event->error_code))))
    return TaskSwitch::kFaulted;
  if (layout.word == 4 && (image[kDebugTrap] & 1)) {
    dr6 |= dr6::kBt;
    raise(kDebugException, Fault::Kind::kTrap);
    return TaskSwitch::kFaulted;
  }
  return TaskSwitch::kDone;
}

Flow Cpu::switch_task_and_leave(u16 selector, TaskCause cause, u64 next_rip) {
  u64 at = next_rip;
  const bool one_at_a_time = mode.single;
  const TaskSwitch result = switch_task(selector, cause, at);
  if (result == TaskSwitch::kRefused) return Flow::kFault;
  step_by_new_flags = false;
  // The old task's TF does not trap in the new one; it goes on once that task is back.
  debug_shadow = one_at_a_time;
  if (result == TaskSwitch::kFaulted) deliver(at);
  return Flow::kLeave;
}

}  // namespace kite::tcg
