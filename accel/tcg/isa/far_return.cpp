// Far RET and IRET: to the same level, outwards, to virtual-8086 mode, and to another task.
#include "accel/tcg/isa/far.h"
#include "accel/tcg/isa/row.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {
namespace {

// After a return to an outer level, segments that level may not use become null (SDM 3A 5.8.6), and
// those that are null lose their RPL (SDM 2B "RET"). Their hidden bases stay, which 64-bit code
// sees through FS and GS.
void drop_inner_segments(Cpu& cpu) {
  for (SegmentRegister number : {kEs, kDs, kFs, kGs}) {
    Segment segment = cpu.segments[number];
    const bool conforming = segment.s && (segment.type & segment_type::kCode) &&
                            (segment.type & segment_type::kConforming);
    if (segment.unusable) cpu.segments[number].selector = 0;
    if (segment.unusable || conforming || segment.dpl >= cpu.cpl) continue;
    const u64 base = segment.base;
    segment = {};
    segment.base = base;
    segment.limit = 0;
    segment.present = false;
    segment.unusable = true;
    cpu.set_segment(number, segment);
  }
}

// The code segment that is returned to.
bool return_target(Cpu& cpu, u16 selector, u64& raw, Segment& cs) {
  const u32 code = selector & 0xfffc;
  const u8 rpl = selector & selector::kRpl;
  if (!code) return cpu.general_protection(), false;
  std::array<u64, 2> descriptor;
  if (!cpu.read_descriptor(selector, descriptor)) return false;
  raw = descriptor[0];
  cs = unpack_descriptor(selector, raw);
  const bool conforming = cs.type & segment_type::kConforming;
  const bool is_code = cs.s && (cs.type & segment_type::kCode);
  if (!is_code || rpl < cpu.cpl || (conforming ? cs.dpl > rpl : cs.dpl != rpl) ||
      (cpu.long_mode() && cs.l && cs.db))
    return cpu.general_protection(code), false;
  if (!cs.present) return cpu.raise_with_code(kSegmentNotPresent, code), false;
  return true;
}

// CS, then SS as the new level may have it; all or nothing.
Flow enter_with_stack(Cpu& cpu, u16 cs, u64 descriptor, u64 target, u16 ss) {
  const u8 old_cpl = cpu.cpl;
  const Segment old_cs = cpu.segments[kCs], old_ss = cpu.segments[kSs];
  const u8 level = cs & selector::kRpl;
  if (cpu.enter_code(cs, descriptor, level, target) == Flow::kFault) return Flow::kFault;
  // A null SS is for 64-bit code above level 3 only (SDM 3A 5.8.6), as load_segment has it.
  if (cpu.load_segment(kSs, ss) != Flow::kFault) return Flow::kLeave;
  cpu.cpl = old_cpl;
  cpu.set_segment(kSs, old_ss);
  cpu.set_segment(kCs, old_cs);
  return Flow::kFault;
}

// The common part of far RET and IRET in protected and long mode: CS:RIP are at the top of the
// stack, RSP and SS `frame` words further up; `drop` bytes of parameters are released on both
// stacks.
Flow return_far(Cpu& cpu, unsigned width, unsigned frame, unsigned drop, bool always_stack) {
  const unsigned size = bytes_of(width);
  u64 target, cs_word, raw;
  Segment cs;
  if (!peek_sized(cpu, width, 0, target) || !peek_sized(cpu, width, size, cs_word))
    return Flow::kFault;
  const u16 selector = static_cast<u16>(cs_word);
  const u8 rpl = selector & selector::kRpl, old_cpl = cpu.cpl;
  if (!return_target(cpu, selector, raw, cs)) return Flow::kFault;
  if (rpl == cpu.cpl && !always_stack) {
    const u64 rsp = cpu.gpr[kRsp];
    cpu.set_rsp(rsp + frame * size + drop);
    const Flow flow = cpu.enter_code(selector, raw, rpl, target);
    if (flow == Flow::kFault) cpu.gpr[kRsp] = rsp;
    return flow;
  }
  u64 new_rsp = 0, ss_word = 0;
  const u64 at = frame * size + drop;
  if (!peek_sized(cpu, width, at, new_rsp) || !peek_sized(cpu, width, at + size, ss_word))
    return Flow::kFault;
  if (enter_with_stack(cpu, selector, raw, target, static_cast<u16>(ss_word)) == Flow::kFault)
    return Flow::kFault;
  cpu.set_rsp(new_rsp + drop);
  if (rpl > old_cpl) drop_inner_segments(cpu);
  return Flow::kLeave;
}

constexpr auto ret_far = [](Cpu& cpu, const Insn& insn) {
  const unsigned drop = insn.opcode == 0xca ? static_cast<u16>(insn.imm) : 0;
  if (!real_or_v86(cpu)) return return_far(cpu, insn.width, 2, drop, false);
  const unsigned size = bytes_of(insn.width);
  u64 target, selector;
  if (!peek_sized(cpu, insn.width, 0, target) || !peek_sized(cpu, insn.width, size, selector) ||
      enter_real(cpu, static_cast<u16>(selector), target) == Flow::kFault)
    return Flow::kFault;
  cpu.set_rsp(cpu.gpr[kRsp] + 2 * size + drop);
  return Flow::kLeave;
};

// Which flags IRET restores (SDM 2A "IRET").
u64 iret_mask(const Cpu& cpu, unsigned width) {
  u64 mask = kArithmeticFlags | rflags::kTf | rflags::kDf | rflags::kNt;
  if (width != 1) mask |= rflags::kRf | rflags::kAc | rflags::kId;
  if (!cpu.mode.protected_mode || cpu.cpl <= cpu.iopl()) mask |= rflags::kIf;
  if (cpu.cpl == 0) mask |= rflags::kIopl;
  if (cpu.mode.protected_mode && cpu.cpl == 0 && width != 1) mask |= rflags::kVif | rflags::kVip;
  return mask;
}

// IRET of a virtual-8086 task whose IOPL is below 3, with CR4.VME: IF of the image is VIF (SDM 3B
// 20.3.3, SDM 2A "IRET").
bool virtual_flags(Cpu& cpu, unsigned width, u64 image, u64& result) {
  if (!(cpu.cr4 & cr4::kVme) || width != 1 || (image & rflags::kTf) ||
      ((image & rflags::kIf) && (cpu.system_flags & rflags::kVip)))
    return cpu.general_protection(), false;
  constexpr u64 kMask = kArithmeticFlags | rflags::kTf | rflags::kDf | rflags::kNt;
  result = (cpu.rflags() & ~(kMask | rflags::kVif)) | (image & kMask) |
           (image & rflags::kIf ? rflags::kVif : 0);
  return true;
}

Flow iret_real(Cpu& cpu, unsigned width) {
  const unsigned size = bytes_of(width);
  const bool is_virtual = cpu.mode.v86 && cpu.iopl() < 3;
  if (is_virtual && (!(cpu.cr4 & cr4::kVme) || width != 1)) return cpu.general_protection();
  u64 target, selector, image;
  if (!peek_sized(cpu, width, 0, target) || !peek_sized(cpu, width, size, selector) ||
      !peek_sized(cpu, width, 2 * size, image))
    return Flow::kFault;
  u64 mask = iret_mask(cpu, width);
  if (cpu.mode.v86) mask &= ~rflags::kIopl;
  u64 flags = (cpu.rflags() & ~mask) | (image & mask);
  if (is_virtual && !virtual_flags(cpu, width, image, flags)) return Flow::kFault;
  if (enter_real(cpu, static_cast<u16>(selector), target) == Flow::kFault) return Flow::kFault;
  cpu.set_rsp(cpu.gpr[kRsp] + 3 * size);
  cpu.set_rflags(flags);
  return Flow::kLeave;
}

// EIP, CS, EFLAGS, ESP, SS, ES, DS, FS, GS are on the stack (SDM 2A "IRET", 3B 20.2.5).
Flow return_to_v86(Cpu& cpu) {
  std::array<u64, 9> word;
  for (unsigned i = 0; i < word.size(); ++i)
    if (!peek_sized(cpu, 2, i * 4, word[i])) return Flow::kFault;
  if (word[0] > 0xffff) return cpu.general_protection();
  cpu.cpl = 3;
  cpu.set_rflags(word[2] & 0x3f7fd7);
  constexpr SegmentRegister kOrder[] = {kSs, kEs, kDs, kFs, kGs};
  for (unsigned i = 0; i < 5; ++i)
    cpu.set_segment(kOrder[i], virtual_8086_segment(static_cast<u16>(word[4 + i])));
  cpu.set_segment(kCs, virtual_8086_segment(static_cast<u16>(word[1])));
  cpu.gpr[kRsp] = word[3];
  cpu.rip = word[0];
  return Flow::kLeave;
}

// RFLAGS.NT: back to the task whose TSS the current one links to (SDM 3A 7.4).
Flow return_from_task(Cpu& cpu, const Insn& insn) {
  if (cpu.long_mode()) return cpu.general_protection();
  u16 link;
  if (!cpu.system_load(cpu.tr.base, &link, 2)) return Flow::kFault;
  return cpu.switch_task_and_leave(link, TaskCause::kReturn, cpu.next_rip(insn));
}

constexpr auto iret = [](Cpu& cpu, const Insn& insn) {
  cpu.serialize();
  cpu.nmi &= static_cast<u8>(~Cpu::kNmiBlocked);
  if (real_or_v86(cpu)) return iret_real(cpu, insn.width);
  if (cpu.system_flags & rflags::kNt) return return_from_task(cpu, insn);
  u64 flags;
  if (!peek_sized(cpu, insn.width, 2 * bytes_of(insn.width), flags)) return Flow::kFault;
  if ((flags & rflags::kVm) && insn.width == 2 && cpu.cpl == 0 && !cpu.long_mode())
    return return_to_v86(cpu);
  const u64 mask = iret_mask(cpu, insn.width);
  const Flow flow = return_far(cpu, insn.width, 3, 0, cpu.code64());
  if (flow == Flow::kFault) return flow;
  cpu.set_rflags((cpu.rflags() & ~mask) | (flags & mask));
  return flow;
};

constexpr Row kRows[] = {
    row("CB", "retf", "      ", ends_block, ret_far),
    row("CA iw", "retf", "      ", ends_block, ret_far),
    row("CF", "iret", "MMMMMM", ends_block, iret),
};

}  // namespace

std::span<const Row> far_return_rows() {
  return kRows;
}

}  // namespace kite::tcg
