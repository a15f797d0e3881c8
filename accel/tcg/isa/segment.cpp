// Segment registers and descriptor tables: MOV Sreg, PUSH/POP Sreg, LDS …, LGDT, LIDT, LLDT, LTR,
// LAR, LSL, VERR, VERW, ARPL.
#include "accel/tcg/isa/row.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {
namespace {

// After a load of SS the next instruction runs before any interrupt (SDM 3A 6.8.3).
Flow load_and_leave(Cpu& cpu, const Insn& insn, SegmentRegister number, u16 selector) {
  const Flow flow = cpu.load_segment(number, selector);
  if (flow == Flow::kFault) return flow;
  if (number == kSs) {
    cpu.shadow_interrupts();
    cpu.debug_shadow = true;
  }
  return cpu.leave(insn);
}

// A segment register that can be loaded: #UD comes before the faults of the other operand.
struct LoadableSw : SpecialRegister<'S'> {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, u8& value, Spot& spot) {
    SpecialRegister<'S'>::fetch<W, U>(cpu, insn, value, spot);
    if (value == kCs || value > kGs) return cpu.undefined_opcode(), false;
    return true;
  }
};
constexpr LoadableSw ToSw{};

constexpr auto mov_to_segment = [](Cpu& cpu, const Insn& insn, u8 number, u16 selector) {
  return load_and_leave(cpu, insn, static_cast<SegmentRegister>(number), selector);
};

// To memory always 16 bits; to a register the operand size, upper bits zero.
constexpr auto mov_from_segment = []<class T>(Cpu& cpu, const Insn& insn, T&, u8 number) {
  if (number > kGs) return cpu.undefined_opcode();
  const u16 selector = cpu.segments[number].selector;
  if (insn.is_memory) return cpu.store_operand<u16>(insn, selector) ? Flow::kNext : Flow::kFault;
  cpu.put<T>(insn.rm, selector);
  return Flow::kNext;
};

template <SegmentRegister Number>
constexpr auto push_segment = [](Cpu& cpu, const Insn& insn) {
  const u16 selector = cpu.segments[Number].selector;
  const bool pushed = insn.width == 3   ? cpu.push<u64>(selector)
                      : insn.width == 2 ? cpu.push<u32>(selector)
                                        : cpu.push<u16>(selector);
  return pushed ? Flow::kNext : Flow::kFault;
};

template <SegmentRegister Number>
constexpr auto pop_segment = [](Cpu& cpu, const Insn& insn) {
  u16 selector;
  if (!cpu.peek<u16>(0, selector)) return Flow::kFault;
  const u64 rsp = cpu.gpr[kRsp];
  const unsigned size = insn.width == 3 ? 8 : insn.width == 2 ? 4 : 2;
  cpu.set_rsp(rsp + size);  // by the size of the stack that it was on, also for POP SS
  const Flow flow = load_and_leave(cpu, insn, Number, selector);
  if (flow == Flow::kFault) cpu.gpr[kRsp] = rsp;
  return flow;
};

// LES, LDS, LSS, LFS, LGS: register and segment from a far pointer. LSS holds off nothing: it is
// MOV SS and POP SS that do (SDM 3A 6.8.3), and processors trap right behind it.
template <SegmentRegister Number>
constexpr auto load_pointer = []<class T>(Cpu& cpu, const Insn& insn, T& offset, u64) {
  u64 linear;
  u16 selector;
  if (!cpu.linear_address(insn, sizeof(T) + 2, Access::kRead, linear)) return Flow::kFault;
  const bool stack = Cpu::is_stack(insn.segment);
  if (!cpu.load_at<T>(linear, offset, stack) ||
      !cpu.load_at<u16>(linear + sizeof(T), selector, stack))
    return Flow::kFault;
  return cpu.load_segment(Number, selector) == Flow::kFault ? Flow::kFault : cpu.leave(insn);
};

// UMIP keeps programs from reading where the tables are (SDM 3A 2.5).
bool umip_forbids(Cpu& cpu) {
  return (cpu.cr4 & cr4::kUmip) && cpu.cpl != 0;
}

Flow store_table(Cpu& cpu, const Insn& insn, const DescriptorTable& table) {
  if (umip_forbids(cpu)) return cpu.general_protection();
  u8 image[10];
  store<u16>(image, table.limit);
  store<u64>(image + 2, table.base);
  u64 linear;
  const unsigned size = cpu.code64() ? 10 : 6;
  if (!cpu.linear_address(insn, size, Access::kWrite, linear)) return Flow::kFault;
  return cpu.store_slow(linear, image, size, Cpu::is_stack(insn.segment)) ? Flow::kNext
                                                                          : Flow::kFault;
}

Flow load_table(Cpu& cpu, const Insn& insn, DescriptorTable& table) {
  u8 image[10] = {};
  u64 linear;
  const unsigned size = cpu.code64() ? 10 : 6;
  if (!cpu.linear_address(insn, size, Access::kRead, linear) ||
      !cpu.load_slow(linear, image, size, Cpu::is_stack(insn.segment)))
    return Flow::kFault;
  u64 base = load<u64>(image + 2);
  if (!cpu.code64() && insn.width == 1) base &= 0xffffff;
  if (cpu.code64() && !cpu.may_hold(base)) return cpu.general_protection();
  table = {base, load<u16>(image)};
  return Flow::kNext;
}

constexpr auto sgdt = [](Cpu& cpu, const Insn& insn, u64) {
  return store_table(cpu, insn, cpu.gdtr);
};
constexpr auto sidt = [](Cpu& cpu, const Insn& insn, u64) {
  return store_table(cpu, insn, cpu.idtr);
};
constexpr auto lgdt = [](Cpu& cpu, const Insn& insn, u64) {
  return load_table(cpu, insn, cpu.gdtr);
};
constexpr auto lidt = [](Cpu& cpu, const Insn& insn, u64) {
  return load_table(cpu, insn, cpu.idtr);
};

Flow store_word(Cpu& cpu, const Insn& insn, u64 value) {
  if (umip_forbids(cpu)) return cpu.general_protection();
  if (insn.is_memory)
    return cpu.store_operand<u16>(insn, static_cast<u16>(value)) ? Flow::kNext : Flow::kFault;
  if (insn.width == 1) cpu.put<u16>(insn.rm, static_cast<u16>(value));
  if (insn.width == 2) cpu.put<u32>(insn.rm, static_cast<u32>(value));
  if (insn.width == 3) cpu.put<u64>(insn.rm, value);
  return Flow::kNext;
}

constexpr auto sldt = [](Cpu& cpu, const Insn& insn, auto&) {
  return store_word(cpu, insn, cpu.ldtr.selector);
};
constexpr auto str = [](Cpu& cpu, const Insn& insn, auto&) {
  return store_word(cpu, insn, cpu.tr.selector);
};
constexpr auto smsw = [](Cpu& cpu, const Insn& insn, auto&) {
  return store_word(cpu, insn, cpu.cr0);
};

constexpr auto lmsw = [](Cpu& cpu, const Insn& insn, u16 value) {
  // PE can be set, not cleared.
  const Flow flow = cpu.write_cr0((cpu.cr0 & ~u64{0xe}) | (value & 0xf));
  return flow == Flow::kFault ? flow : cpu.leave(insn);
};

// LLDT and LTR share the way to a system descriptor.
Flow load_system(Cpu& cpu, u16 selector, bool is_task, Segment& target) {
  const u32 code = selector & 0xfffc;
  if (selector & selector::kTi) return cpu.general_protection(code);
  std::array<u64, 2> raw;
  if (!cpu.read_descriptor(selector, raw, kGeneralProtection, cpu.long_mode())) return Flow::kFault;
  Segment segment = unpack_descriptor(selector, raw[0], raw[1]);
  const bool task = segment.type == system_type::kTss ||
                    (segment.type == system_type::kTss16 && !cpu.long_mode());
  if (segment.s || (is_task ? !task : segment.type != system_type::kLdt))
    return cpu.general_protection(code);
  if (!segment.present) return cpu.raise_with_code(kSegmentNotPresent, code);
  if (cpu.long_mode() && !cpu.may_hold(segment.base)) return cpu.general_protection(code);
  if (is_task) {
    segment.type |= system_type::kBusy;
    u8 access = static_cast<u8>(bits(raw[0], 47, 40));
    const u8 busy = access | system_type::kBusy;
    const u64 at = cpu.gdtr.base + selector::index(selector) + 5;
    const Cpu::Exchange exchanged = cpu.system_exchange(at, access, busy);
    if (exchanged == Cpu::Exchange::kFault) return Flow::kFault;
    // Another processor was faster: look again, and find the task busy.
    if (exchanged == Cpu::Exchange::kChanged) return load_system(cpu, selector, is_task, target);
  }
  target = segment;
  return Flow::kNext;
}

constexpr auto lldt = [](Cpu& cpu, u16 selector) {
  if (selector & 0xfffc) return load_system(cpu, selector, false, cpu.ldtr);
  cpu.ldtr.selector = selector;
  cpu.ldtr.unusable = true;
  return Flow::kNext;
};

constexpr auto ltr = [](Cpu& cpu, u16 selector) {
  if (!(selector & 0xfffc)) return cpu.general_protection();
  return load_system(cpu, selector, true, cpu.tr);
};

// What LAR, LSL, VERR and VERW look at. A selector this CPL and RPL may not see is no fault; a page
// of the table that is not there is (SDM 2A "LAR").
struct Looked {
  bool faulted = false;
  bool visible = false;
  u64 raw = 0;
  Segment segment;
};
Looked look(Cpu& cpu, u16 selector) {
  Looked result;
  std::array<u64, 2> raw;
  if (!(selector & 0xfffc)) return result;
  if (!cpu.read_descriptor(selector, raw)) {
    result.faulted = cpu.fault.vector != kGeneralProtection || !cpu.fault.error_code;
    return result;
  }
  result.raw = raw[0];
  const Segment& segment = result.segment = unpack_descriptor(selector, raw[0]);
  const bool conforming = segment.s && (segment.type & segment_type::kCode) &&
                          (segment.type & segment_type::kConforming);
  result.visible =
      conforming || (segment.dpl >= cpu.cpl && segment.dpl >= (selector & selector::kRpl));
  return result;
}

bool lar_accepts(const Cpu& cpu, const Segment& segment, bool with_gates) {
  if (segment.s) return true;
  switch (segment.type) {
    case system_type::kLdt:
    case system_type::kTss:
    case system_type::kTssBusy:
      return true;
    case system_type::kTss16:
    case system_type::kTss16Busy:
      return !cpu.long_mode();
    case system_type::kCallGate:
      return with_gates;
    case system_type::kCallGate16:
    case system_type::kTaskGate:
      return with_gates && !cpu.long_mode();
    default:
      return false;
  }
}

// The destination of LAR and LSL: as a whole it stays as it is if they refuse, the upper half of a
// 32-bit one too.
struct MaybeGvKind : GvKind {
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, Value<W>, const Spot&) {
    return true;
  }
};
constexpr MaybeGvKind MaybeGv{};

constexpr auto lar = []<class T>(Cpu& cpu, const Insn& insn, T&, u16 selector) {
  const Looked at = look(cpu, selector);
  if (at.faulted) return Flow::kFault;
  const bool ok = at.visible && lar_accepts(cpu, at.segment, true);
  // Bits 19:16, the limit's, are undefined (SDM 2A LAR): there they are with Intel's processors.
  if (ok) cpu.put<T>(insn.reg, static_cast<T>(at.raw >> 32 & 0xffff00));
  cpu.flags.update(kZf, ok ? kZf : 0);
  return Flow::kNext;
};

constexpr auto lsl = []<class T>(Cpu& cpu, const Insn& insn, T&, u16 selector) {
  const Looked at = look(cpu, selector);
  if (at.faulted) return Flow::kFault;
  const bool ok = at.visible && lar_accepts(cpu, at.segment, false);
  if (ok) cpu.put<T>(insn.reg, static_cast<T>(descriptor::limit(at.raw)));
  cpu.flags.update(kZf, ok ? kZf : 0);
  return Flow::kNext;
};

template <bool Write>
constexpr auto verify = [](Cpu& cpu, u16 selector) {
  const Looked at = look(cpu, selector);
  if (at.faulted) return Flow::kFault;
  const bool code = at.segment.type & segment_type::kCode;
  const bool allowed = Write ? !code && (at.segment.type & segment_type::kWritable)
                             : !code || (at.segment.type & segment_type::kReadable);
  cpu.flags.update(kZf, at.visible && at.segment.s && allowed ? kZf : 0);
  return Flow::kNext;
};

constexpr auto arpl = [](Cpu& cpu, u16& dst, u16 src) {
  const bool raise = (dst & selector::kRpl) < (src & selector::kRpl);
  if (raise) dst = static_cast<u16>((dst & ~selector::kRpl) | (src & selector::kRpl));
  cpu.flags.update(kZf, raise ? kZf : 0);
};

constexpr Row kRows[] = {
    row("8E /r", "mov", r(ToSw), r(Ew), "      ", ends_block, mov_to_segment),
    row("8C /r", "mov", w(EvOwn), r(Sw), "      ", mov_from_segment),
    row("06", "push", "      ", not64, push_segment<kEs>),
    row("0E", "push", "      ", not64, push_segment<kCs>),
    row("16", "push", "      ", not64, push_segment<kSs>),
    row("1E", "push", "      ", not64, push_segment<kDs>),
    row("0F A0", "push", "      ", default64, push_segment<kFs>),
    row("0F A8", "push", "      ", default64, push_segment<kGs>),
    row("07", "pop", "      ", not64, ends_block, pop_segment<kEs>),
    row("17", "pop", "      ", not64, ends_block, pop_segment<kSs>),
    row("1F", "pop", "      ", not64, ends_block, pop_segment<kDs>),
    row("0F A1", "pop", "      ", default64, ends_block, pop_segment<kFs>),
    row("0F A9", "pop", "      ", default64, ends_block, pop_segment<kGs>),
    row("C4 /r", "les", w(Gv), r(Mp), "      ", not64, ends_block, load_pointer<kEs>),
    row("C5 /r", "lds", w(Gv), r(Mp), "      ", not64, ends_block, load_pointer<kDs>),
    row("0F B2 /r", "lss", w(Gv), r(Mp), "      ", ends_block, load_pointer<kSs>),
    row("0F B4 /r", "lfs", w(Gv), r(Mp), "      ", ends_block, load_pointer<kFs>),
    row("0F B5 /r", "lgs", w(Gv), r(Mp), "      ", ends_block, load_pointer<kGs>),
    row("0F 00 /0", "sldt", w(EvOwn), "      ", protected_only, sldt),
    row("0F 00 /1", "str", w(EvOwn), "      ", protected_only, str),
    row("0F 00 /2", "lldt", r(Ew), "      ", protected_only, cpl0, lldt),
    row("0F 00 /3", "ltr", r(Ew), "      ", protected_only, cpl0, ltr),
    row("0F 00 /4", "verr", r(Ew), "  M   ", protected_only, verify<false>),
    row("0F 00 /5", "verw", r(Ew), "  M   ", protected_only, verify<true>),
    row("0F 01 /0", "sgdt", w(M), "      ", sgdt),
    row("0F 01 /1", "sidt", w(M), "      ", sidt),
    row("0F 01 /2", "lgdt", r(M), "      ", cpl0, lgdt),
    row("0F 01 /3", "lidt", r(M), "      ", cpl0, lidt),
    row("0F 01 /4", "smsw", w(EvOwn), "      ", smsw),
    row("0F 01 /6", "lmsw", r(Ew), "      ", cpl0, ends_block, lmsw),
    row("0F 02 /r", "lar", rw(MaybeGv), r(Ew), "  M   ", protected_only, lar),
    row("0F 03 /r", "lsl", rw(MaybeGv), r(Ew), "  M   ", protected_only, lsl),
    row("63 /r", "arpl", rw(Ew), r(Gw), "  M   ", not64, protected_only, arpl),
};

}  // namespace

std::span<const Row> segment_rows() {
  return kRows;
}

}  // namespace kite::tcg
