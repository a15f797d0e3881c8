// Transfers that change CS: far JMP, CALL, RET, IRET, INT n, SYSCALL, SYSENTER and their returns.
#include "accel/tcg/isa/row.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {
namespace {

bool real_or_v86(const Cpu& cpu) {
  return !cpu.mode.protected_mode || cpu.mode.v86;
}

bool push_sized(Cpu& cpu, unsigned width, u64 value) {
  return width == 3   ? cpu.push<u64>(value)
         : width == 2 ? cpu.push<u32>(static_cast<u32>(value))
                      : cpu.push<u16>(static_cast<u16>(value));
}

bool peek_sized(Cpu& cpu, unsigned width, unsigned index, u64& value) {
  value = 0;
  if (width == 3) return cpu.peek<u64>(index * 8, value);
  u32 dword = 0;
  u16 word = 0;
  const bool ok = width == 2 ? cpu.peek<u32>(index * 4, dword) : cpu.peek<u16>(index * 2, word);
  value = width == 2 ? dword : word;
  return ok;
}

Flow enter_real(Cpu& cpu, u16 selector, u64 target) {
  if (target > cpu.segments[kCs].limit) return cpu.general_protection();
  cpu.load_segment(kCs, selector);
  cpu.rip = target;
  return Flow::kLeave;
}

// The code segment of a far JMP or CALL without a gate (SDM 3A 5.8.1).
bool check_code(Cpu& cpu, u16 selector, const Segment& target) {
  const u32 code = selector & 0xfffc;
  const u8 rpl = selector & selector::kRpl;
  const bool conforming = target.type & segment_type::kConforming;
  const bool bad = conforming ? target.dpl > cpu.cpl : rpl > cpu.cpl || target.dpl != cpu.cpl;
  if (bad || (cpu.long_mode() && target.l && target.db)) {
    cpu.general_protection(code);
    return false;
  }
  if (!target.present) {
    cpu.raise_with_code(kSegmentNotPresent, code);
    return false;
  }
  return true;
}

// A far call or jump through a call gate (SDM 3A 5.8.3).
Flow through_gate(Cpu& cpu, const Insn& insn, u16 selector, bool is_call) {
  const u32 code = selector & 0xfffc;
  std::array<u64, 2> raw;
  if (!cpu.read_descriptor(selector, raw, kGeneralProtection, cpu.long_mode())) return Flow::kFault;
  const Gate gate = unpack_gate(raw[0], raw[1]);
  const bool is_32 = gate.type == system_type::kCallGate;
  if (!is_32 && (gate.type != system_type::kCallGate16 || cpu.long_mode()))
    return cpu.general_protection(code);
  if (gate.dpl < cpu.cpl || gate.dpl < (selector & selector::kRpl))
    return cpu.general_protection(code);
  if (!gate.present) return cpu.raise_with_code(kSegmentNotPresent, code);
  const u32 target_code = gate.selector & 0xfffc;
  if (!target_code) return cpu.general_protection();
  if (!cpu.read_descriptor(gate.selector, raw)) return Flow::kFault;
  const Segment target = unpack_descriptor(gate.selector, raw[0]);
  const bool is_code = target.s && (target.type & segment_type::kCode);
  if (!is_code || target.dpl > cpu.cpl || (cpu.long_mode() && (!target.l || target.db)))
    return cpu.general_protection(target_code);
  if (!target.present) return cpu.raise_with_code(kSegmentNotPresent, target_code);
  const bool conforming = target.type & segment_type::kConforming;
  const u8 new_cpl = !is_call || conforming ? cpu.cpl : target.dpl;
  if (!is_call && !conforming && target.dpl != cpu.cpl) return cpu.general_protection(target_code);
  const unsigned width = cpu.long_mode() ? 3 : is_32 ? 2 : 1;
  const u64 old_rsp = cpu.gpr[kRsp];
  const Segment old_cs = cpu.segments[kCs], old_ss = cpu.segments[kSs];
  const u8 old_cpl = cpu.cpl;
  const auto undo = [&] {
    cpu.cpl = old_cpl;
    cpu.set_segment(kSs, old_ss);
    cpu.set_segment(kCs, old_cs);
    cpu.gpr[kRsp] = old_rsp;
    return Flow::kFault;
  };
  if (new_cpl < cpu.cpl) {
    u64 rsp;
    u16 ss;
    Segment stack;
    if (!cpu.inner_stack(new_cpl, rsp, ss) || !cpu.inner_stack_segment(ss, new_cpl, stack))
      return Flow::kFault;
    std::array<u64, 32> parameters;
    for (unsigned i = 0; i < gate.parameters; ++i)
      if (!peek_sized(cpu, width, i, parameters[i])) return Flow::kFault;
    cpu.cpl = new_cpl;
    cpu.set_segment(kSs, stack);
    cpu.gpr[kRsp] = rsp;
    if (!push_sized(cpu, width, old_ss.selector) || !push_sized(cpu, width, old_rsp)) return undo();
    for (unsigned i = gate.parameters; i-- > 0;)
      if (!push_sized(cpu, width, parameters[i])) return undo();
  }
  if (is_call &&
      (!push_sized(cpu, width, old_cs.selector) || !push_sized(cpu, width, cpu.next_rip(insn))))
    return undo();
  const Flow flow = cpu.enter_code(gate.selector, raw[0], new_cpl, gate.offset);
  return flow == Flow::kFault ? undo() : flow;
}

Flow far_transfer(Cpu& cpu, const Insn& insn, u16 selector, u64 offset, bool is_call) {
  const u64 rsp = cpu.gpr[kRsp];
  const auto push_return = [&] {
    if (!is_call || (push_sized(cpu, insn.width, cpu.segments[kCs].selector) &&
                     push_sized(cpu, insn.width, cpu.next_rip(insn))))
      return true;
    cpu.gpr[kRsp] = rsp;
    return false;
  };
  if (real_or_v86(cpu)) {
    if (offset > cpu.segments[kCs].limit) return cpu.general_protection();
    return push_return() ? enter_real(cpu, selector, offset) : Flow::kFault;
  }
  if (!(selector & 0xfffc)) return cpu.general_protection();
  std::array<u64, 2> raw;
  if (!cpu.read_descriptor(selector, raw)) return Flow::kFault;
  const Segment target = unpack_descriptor(selector, raw[0]);
  if (!target.s) {
    if (target.type == system_type::kCallGate || target.type == system_type::kCallGate16)
      return through_gate(cpu, insn, selector, is_call);
    return cpu.general_protection(selector & 0xfffc);  // task switches: not yet
  }
  if (!(target.type & segment_type::kCode)) return cpu.general_protection(selector & 0xfffc);
  if (!check_code(cpu, selector, target) || !push_return()) return Flow::kFault;
  const Flow flow = cpu.enter_code(selector, raw[0], cpu.cpl, offset);
  if (flow == Flow::kFault) cpu.gpr[kRsp] = rsp;
  return flow;
}

// m16:16, m16:32, m16:64.
bool load_far_pointer(Cpu& cpu, const Insn& insn, u16& selector, u64& offset) {
  const unsigned size = insn.width == 3 ? 8 : insn.width == 2 ? 4 : 2;
  u64 linear;
  if (!cpu.linear_address(insn, size + 2, Access::kRead, linear)) return false;
  const bool stack = Cpu::is_stack(insn.segment);
  offset = 0;
  u32 dword = 0;
  u16 word = 0;
  const bool ok = size == 8   ? cpu.load_at(linear, offset, stack)
                  : size == 4 ? cpu.load_at(linear, dword, stack)
                              : cpu.load_at(linear, word, stack);
  if (size != 8) offset = size == 4 ? dword : word;
  return ok && cpu.load_at(linear + size, selector, stack);
}

template <bool IsCall>
constexpr auto far_direct = [](Cpu& cpu, const Insn& insn, u64 pointer) {
  return far_transfer(cpu, insn, static_cast<u16>(pointer >> 32), pointer & 0xffffffff, IsCall);
};

template <bool IsCall>
constexpr auto far_indirect = [](Cpu& cpu, const Insn& insn, u64) {
  u16 selector;
  u64 offset;
  if (!load_far_pointer(cpu, insn, selector, offset)) return Flow::kFault;
  return far_transfer(cpu, insn, selector, offset, IsCall);
};

// After a return to an outer level, segments that level may not use become null (SDM 3A 5.8.6).
void drop_inner_segments(Cpu& cpu) {
  for (SegmentRegister number : {kEs, kDs, kFs, kGs}) {
    Segment segment = cpu.segments[number];
    const bool conforming = segment.s && (segment.type & segment_type::kCode) &&
                            (segment.type & segment_type::kConforming);
    if (segment.unusable || conforming || segment.dpl >= cpu.cpl) continue;
    segment = {};
    segment.limit = 0;
    segment.present = false;
    segment.unusable = true;
    cpu.set_segment(number, segment);
  }
}

// The common part of far RET and IRET in protected and long mode: CS:RIP are at the top of the
// stack, RSP and SS `frame` words further up; `drop` bytes of parameters are released on both
// stacks.
Flow return_far(Cpu& cpu, unsigned width, unsigned frame, unsigned drop, bool always_stack) {
  const unsigned size = width == 3 ? 8 : width == 2 ? 4 : 2;
  u64 target, cs_word;
  if (!peek_sized(cpu, width, 0, target) || !peek_sized(cpu, width, 1, cs_word))
    return Flow::kFault;
  const u16 selector = static_cast<u16>(cs_word);
  const u32 code = selector & 0xfffc;
  const u8 rpl = selector & selector::kRpl;
  if (!code) return cpu.general_protection();
  std::array<u64, 2> raw;
  if (!cpu.read_descriptor(selector, raw)) return Flow::kFault;
  const Segment cs = unpack_descriptor(selector, raw[0]);
  const bool conforming = cs.type & segment_type::kConforming;
  const bool is_code = cs.s && (cs.type & segment_type::kCode);
  if (!is_code || rpl < cpu.cpl || (conforming ? cs.dpl > rpl : cs.dpl != rpl) ||
      (cpu.long_mode() && cs.l && cs.db))
    return cpu.general_protection(code);
  if (!cs.present) return cpu.raise_with_code(kSegmentNotPresent, code);
  if (rpl == cpu.cpl && !always_stack) {
    const u64 rsp = cpu.gpr[kRsp];
    cpu.set_rsp(rsp + frame * size + drop);
    const Flow flow = cpu.enter_code(selector, raw[0], rpl, target);
    if (flow == Flow::kFault) cpu.gpr[kRsp] = rsp;
    return flow;
  }
  u64 new_rsp = 0, ss_word = 0;
  const unsigned at = frame + drop / size;
  if (!peek_sized(cpu, width, at, new_rsp) || !peek_sized(cpu, width, at + 1, ss_word))
    return Flow::kFault;
  const bool to_64 = cpu.long_mode() && cs.l;
  const u8 old_cpl = cpu.cpl;
  const Segment old_cs = cpu.segments[kCs], old_ss = cpu.segments[kSs];
  const u64 old_rsp = cpu.gpr[kRsp];
  if (cpu.enter_code(selector, raw[0], rpl, target) == Flow::kFault) return Flow::kFault;
  Flow flow = Flow::kLeave;
  const u16 ss = static_cast<u16>(ss_word);
  if (!(ss & 0xfffc) && !to_64)
    flow = cpu.general_protection();
  else if (cpu.load_segment(kSs, ss) == Flow::kFault)
    flow = Flow::kFault;
  if (flow == Flow::kFault) {
    cpu.cpl = old_cpl;
    cpu.set_segment(kSs, old_ss);
    cpu.set_segment(kCs, old_cs);
    cpu.gpr[kRsp] = old_rsp;
    return flow;
  }
  cpu.set_rsp(new_rsp + drop);
  if (rpl > old_cpl) drop_inner_segments(cpu);
  return Flow::kLeave;
}

constexpr auto ret_far = [](Cpu& cpu, const Insn& insn) {
  const unsigned drop = insn.opcode == 0xca ? static_cast<u16>(insn.imm) : 0;
  if (!real_or_v86(cpu)) return return_far(cpu, insn.width, 2, drop, false);
  u64 target, selector;
  if (!peek_sized(cpu, insn.width, 0, target) || !peek_sized(cpu, insn.width, 1, selector))
    return Flow::kFault;
  if (enter_real(cpu, static_cast<u16>(selector), target) == Flow::kFault) return Flow::kFault;
  cpu.set_rsp(cpu.gpr[kRsp] + (insn.width == 2 ? 8 : 4) + drop);
  return Flow::kLeave;
};

// Which flags IRET restores (SDM 2A "IRET").
u64 iret_mask(const Cpu& cpu, unsigned width) {
  u64 mask = kArithmeticFlags | rflags::kTf | rflags::kDf | rflags::kNt;
  if (width != 1) mask |= rflags::kRf | rflags::kAc | rflags::kId;
  if (!cpu.mode.protected_mode || cpu.cpl <= cpu.iopl()) mask |= rflags::kIf;
  if (cpu.cpl == 0) mask |= rflags::kIopl;
  if (cpu.cpl == 0 && width != 1) mask |= rflags::kVif | rflags::kVip;
  return mask;
}

Flow iret_real(Cpu& cpu, unsigned width) {
  if (cpu.mode.v86 && cpu.iopl() < 3) return cpu.general_protection();
  u64 target, selector, flags;
  if (!peek_sized(cpu, width, 0, target) || !peek_sized(cpu, width, 1, selector) ||
      !peek_sized(cpu, width, 2, flags))
    return Flow::kFault;
  u64 mask = iret_mask(cpu, width);
  if (cpu.mode.v86) mask &= ~rflags::kIopl;
  if (enter_real(cpu, static_cast<u16>(selector), target) == Flow::kFault) return Flow::kFault;
  cpu.set_rsp(cpu.gpr[kRsp] + 3 * (width == 2 ? 4 : 2));
  cpu.set_rflags((cpu.rflags() & ~mask) | (flags & mask));
  return Flow::kLeave;
}

constexpr auto iret = [](Cpu& cpu, const Insn& insn) {
  cpu.serialize();
  cpu.nmi_blocked = false;
  if (real_or_v86(cpu)) return iret_real(cpu, insn.width);
  if (cpu.system_flags & rflags::kNt) return cpu.general_protection();  // task return: not yet
  u64 flags;
  if (!peek_sized(cpu, insn.width, 2, flags)) return Flow::kFault;
  const u64 mask = iret_mask(cpu, insn.width);
  const Flow flow = return_far(cpu, insn.width, 3, 0, cpu.code64());
  if (flow == Flow::kFault) return flow;
  cpu.set_rflags((cpu.rflags() & ~mask) | (flags & mask));
  return flow;
};

Flow software_interrupt(Cpu& cpu, const Insn& insn, u8 vector, Fault::Kind kind) {
  if (cpu.mode.v86 && cpu.iopl() < 3 && kind == Fault::Kind::kSoftwareInterrupt &&
      insn.opcode == 0xcd)
    return cpu.general_protection();
  cpu.fault = {vector, kind, false, 0};
  return Flow::kFault;
}

constexpr auto int_n = [](Cpu& cpu, const Insn& insn, u8 vector) {
  return software_interrupt(cpu, insn, vector, Fault::Kind::kSoftwareInterrupt);
};
constexpr auto int3 = [](Cpu& cpu, const Insn& insn) {
  return software_interrupt(cpu, insn, kBreakpoint, Fault::Kind::kSoftwareInterrupt);
};
constexpr auto int1 = [](Cpu& cpu, const Insn& insn) {
  return software_interrupt(cpu, insn, kDebugException, Fault::Kind::kTrap);
};
constexpr auto into = [](Cpu& cpu, const Insn& insn) {
  if (!cpu.flags.of()) return cpu.leave(insn);
  return software_interrupt(cpu, insn, kOverflow, Fault::Kind::kSoftwareInterrupt);
};

// Flat segments as SYSCALL, SYSRET, SYSENTER and SYSEXIT load them, without looking at a descriptor
// (SDM 2B "SYSCALL").
Segment flat_code(u16 selector, u8 dpl, bool is_64) {
  Segment segment;
  segment.selector = selector;
  segment.limit = 0xffffffff;
  segment.type = 11;
  segment.dpl = dpl;
  segment.l = is_64;
  segment.db = !is_64;
  segment.g = true;
  return segment;
}

Segment flat_data(u16 selector, u8 dpl) {
  Segment segment = flat_code(selector, dpl, false);
  segment.type = 3;
  return segment;
}

void load_flat(Cpu& cpu, u16 code_selector, u16 stack_selector, u8 cpl, bool is_64) {
  cpu.cpl = cpl;
  cpu.segments[kSs] = flat_data(stack_selector, cpl);
  cpu.segment_base[kSs] = 0;
  cpu.set_segment(kCs, flat_code(code_selector, cpl, is_64));
}

constexpr auto syscall = [](Cpu& cpu, const Insn& insn) {
  if (!(cpu.efer & efer::kSce) || !cpu.mode.protected_mode) return cpu.undefined_opcode();
  const u16 selector = static_cast<u16>(cpu.msr.star >> 32);
  const u64 next = cpu.next_rip(insn);
  // TF counts as SFMASK leaves it: a program's single step does not trap inside the kernel.
  cpu.step_by_new_flags = cpu.system_flags & rflags::kTf;
  if (cpu.long_mode()) {
    const bool from_64 = cpu.code64();
    cpu.gpr[kRcx] = next;
    cpu.gpr[kR11] = cpu.rflags() & ~rflags::kRf;
    load_flat(cpu, selector & 0xfffc, static_cast<u16>(selector + 8), 0, true);
    cpu.rip = from_64 ? cpu.msr.lstar : cpu.msr.cstar;
    cpu.set_rflags(cpu.rflags() & ~(cpu.msr.sfmask | rflags::kRf));
  } else {
    cpu.put<u32>(kRcx * 8, static_cast<u32>(next));
    load_flat(cpu, selector & 0xfffc, static_cast<u16>(selector + 8), 0, false);
    cpu.rip = cpu.msr.star & 0xffffffff;
    cpu.set_rflags(cpu.rflags() & ~(rflags::kVm | rflags::kIf | rflags::kRf));
  }
  return Flow::kLeave;
};

constexpr auto sysret = [](Cpu& cpu, const Insn& insn) {
  if (!(cpu.efer & efer::kSce) || !cpu.mode.protected_mode) return cpu.undefined_opcode();
  if (cpu.cpl != 0) return cpu.general_protection();
  const u16 selector = static_cast<u16>(cpu.msr.star >> 48);
  const bool to_64 = insn.width == 3;
  const u64 target = to_64 ? cpu.gpr[kRcx] : cpu.gpr[kRcx] & 0xffffffff;
  if (to_64 && !cpu.canonical(target)) return cpu.general_protection();
  const u64 flags = cpu.gpr[kR11];
  const bool long_mode = cpu.long_mode();
  // The step over the SYSCALL ends here, if R11 brings TF back.
  cpu.step_by_new_flags = (cpu.system_flags | (long_mode ? flags : 0)) & rflags::kTf;
  load_flat(cpu, static_cast<u16>((selector + (to_64 ? 16 : 0)) | 3),
            static_cast<u16>((selector + 8) | 3), 3, to_64);
  cpu.rip = target;
  if (long_mode)
    cpu.set_rflags(flags & 0x3c7fd7);  // RF and VM stay clear (SDM 2B "SYSRET")
  else
    cpu.set_rflags(cpu.rflags() | rflags::kIf);
  return Flow::kLeave;
};

constexpr auto sysenter = [](Cpu& cpu, const Insn&) {
  // AMD processors do not have it in long mode (APM 3 "SYSENTER").
  if (cpu.long_mode()) return cpu.undefined_opcode();
  const u16 selector = static_cast<u16>(cpu.msr.sysenter_cs & 0xfffc);
  if (!cpu.mode.protected_mode || selector == 0) return cpu.general_protection();
  cpu.set_rflags(cpu.rflags() & ~(rflags::kVm | rflags::kIf | rflags::kRf));
  load_flat(cpu, selector, static_cast<u16>(selector + 8), 0, false);
  cpu.gpr[kRsp] = cpu.msr.sysenter_esp & 0xffffffff;
  cpu.rip = cpu.msr.sysenter_eip & 0xffffffff;
  return Flow::kLeave;
};

constexpr auto sysexit = [](Cpu& cpu, const Insn&) {
  if (cpu.long_mode()) return cpu.undefined_opcode();
  const u16 selector = static_cast<u16>(cpu.msr.sysenter_cs & 0xfffc);
  if (!cpu.mode.protected_mode || selector == 0 || cpu.cpl != 0) return cpu.general_protection();
  load_flat(cpu, static_cast<u16>((selector + 16) | 3), static_cast<u16>((selector + 24) | 3), 3,
            false);
  cpu.rip = cpu.gpr[kRdx] & 0xffffffff;
  cpu.gpr[kRsp] = cpu.gpr[kRcx] & 0xffffffff;
  return Flow::kLeave;
};

constexpr Row kRows[] = {
    row("EA cp", "jmp far", r(Ap), "      ", not64, ends_block, far_direct<false>),
    row("9A cp", "call far", r(Ap), "      ", not64, ends_block, far_direct<true>),
    row("FF /5", "jmp far", r(Mp), "      ", ends_block, far_indirect<false>),
    row("FF /3", "call far", r(Mp), "      ", ends_block, far_indirect<true>),
    row("CB", "retf", "      ", ends_block, ret_far),
    row("CA iw", "retf", "      ", ends_block, ret_far),
    row("CF", "iret", "MMMMMM", ends_block, iret),
    row("CD ib", "int", r(Ib), "      ", ends_block, int_n),
    row("CC", "int3", "      ", ends_block, int3),
    row("F1", "int1", "      ", ends_block, int1),
    row("CE", "into", "T     ", not64, ends_block, into),
    row("0F 05", "syscall", "      ", Feature::kSyscall, ends_block, syscall),
    row("0F 07", "sysret", "MMMMMM", Feature::kSyscall, ends_block, sysret),
    row("0F 34", "sysenter", "      ", Feature::kSep, ends_block, sysenter),
    row("0F 35", "sysexit", "      ", Feature::kSep, ends_block, sysexit),
};

}  // namespace

std::span<const Row> far_rows() {
  return kRows;
}

}  // namespace kite::tcg
