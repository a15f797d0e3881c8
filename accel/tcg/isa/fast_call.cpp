// SYSCALL, SYSENTER and their returns: flat segments from MSRs instead of descriptors.
#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"

namespace kite::tcg {
namespace {

// A flat segment as SYSCALL, SYSRET, SYSENTER and SYSEXIT load it, without looking at a descriptor
// (SDM 2B "SYSCALL"). In place, because a copy would wait for the single bytes to reach the cache.
void make_flat(Segment& segment, u16 selector, u8 type, u8 dpl, bool is_64) {
  segment.base = 0;
  segment.limit = 0xffffffff;
  segment.selector = selector;
  segment.type = type;
  segment.s = segment.present = segment.g = true;
  segment.dpl = dpl;
  segment.l = is_64;
  segment.db = !is_64;
  segment.avl = segment.unusable = false;
}

void load_flat(Cpu& cpu, u16 code_selector, u16 stack_selector, u8 cpl, bool is_64) {
  cpu.cpl = cpl;
  make_flat(cpu.segments[kSs], stack_selector, 3, cpl, false);
  make_flat(cpu.segments[kCs], code_selector, 11, cpl, is_64);
  cpu.segment_base[kSs] = 0;
  cpu.update_mode();
}

constexpr auto syscall = [](Cpu& cpu, const Insn& insn) {
  if (!(cpu.efer & efer::kSce) || !cpu.mode.protected_mode) return cpu.undefined_opcode();
  const u16 selector = static_cast<u16>(cpu.msr.star >> 32);
  const u64 next = cpu.next_rip(insn);
  // TF counts as SFMASK leaves it: a program's single step does not trap inside the kernel.
  cpu.step_by_new_flags = cpu.system_flags & rflags::kTf;
  if (cpu.long_mode()) {
    const u64 flags = cpu.rflags() & ~rflags::kRf;
    cpu.gpr[kRcx] = next;
    cpu.gpr[kR11] = flags;
    cpu.rip = cpu.code64() ? cpu.msr.lstar : cpu.msr.cstar;
    load_flat(cpu, selector & 0xfffc, static_cast<u16>(selector + 8), 0, true);
    cpu.set_rflags(flags & ~cpu.msr.sfmask);
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
    row("0F 05", "syscall", "      ", Feature::kSyscall, ends_block, syscall),
    row("0F 07", "sysret", "MMMMMM", Feature::kSyscall, ends_block, sysret),
    row("0F 34", "sysenter", "      ", Feature::kSep, ends_block, sysenter),
    row("0F 35", "sysexit", "      ", Feature::kSep, ends_block, sysexit),
};

}  // namespace

std::span<const Row> fast_call_rows() {
  return kRows;
}

}  // namespace kite::tcg
