// INT n, INT3, INT1, INTO, and where INT n goes in virtual-8086 mode.
#include "accel/tcg/isa/far.h"
#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {
namespace {

Flow software_interrupt(Cpu& cpu, u8 vector, Fault::Kind kind) {
  cpu.fault = {vector, kind, false, 0};
  return Flow::kFault;
}

// With CR4.VME the TSS has a bit for each INT n below its I/O map: clear, and the interrupt goes to
// the 8086 program's own handler (SDM 3B 20.3.3). False: `fault` is set.
bool redirected(Cpu& cpu, u8 vector, bool& result) {
  constexpr u32 kMapBase = 0x66, kBitmapBytes = 32;
  const auto refuse = [&] { return cpu.general_protection(), false; };
  result = false;
  if (!(cpu.cr4 & cr4::kVme)) return true;
  u16 base;
  if (!(cpu.tr.type & 8) || cpu.tr.limit < kMapBase + 1) return refuse();
  if (!cpu.system_load(cpu.tr.base + kMapBase, &base, 2)) return false;
  const u32 offset = base - kBitmapBytes + vector / 8u;
  u8 byte;
  if (base < kBitmapBytes || offset > cpu.tr.limit) return refuse();
  if (!cpu.system_load(cpu.tr.base + offset, &byte, 1)) return false;
  result = !(byte >> (vector % 8) & 1);
  return true;
}

// Through the vector table at 0, as an 8086 does; below IOPL 3 with VIF in the place of IF.
Flow to_8086_handler(Cpu& cpu, const Insn& insn, u8 vector) {
  u32 target;
  if (!cpu.load_at(vector * 4u, target)) return Flow::kFault;
  const bool is_virtual = cpu.iopl() < 3;
  u64 image = cpu.rflags();
  if (is_virtual) {
    image = (image & ~rflags::kIf) | rflags::kIopl;
    if (cpu.system_flags & rflags::kVif) image |= rflags::kIf;
  }
  const u64 rsp = cpu.gpr[kRsp];
  if (!cpu.push<u16>(static_cast<u16>(image)) || !cpu.push<u16>(cpu.segments[kCs].selector) ||
      !cpu.push<u16>(static_cast<u16>(cpu.next_rip(insn)))) {
    cpu.gpr[kRsp] = rsp;
    return Flow::kFault;
  }
  cpu.load_segment(kCs, static_cast<u16>(target >> 16));
  cpu.rip = target & 0xffff;
  cpu.set_rflags(cpu.rflags() &
                 ~(rflags::kTf | rflags::kRf | (is_virtual ? rflags::kVif : rflags::kIf)));
  return Flow::kLeave;
}

constexpr auto int_n = [](Cpu& cpu, const Insn& insn, u8 vector) {
  if (cpu.mode.v86) {
    bool to_program;
    if (!redirected(cpu, vector, to_program)) return Flow::kFault;
    if (to_program) return to_8086_handler(cpu, insn, vector);
    if (cpu.iopl() < 3) return cpu.general_protection();
  }
  return software_interrupt(cpu, vector, Fault::Kind::kSoftwareInterrupt);
};
constexpr auto int3 = [](Cpu& cpu) {
  return software_interrupt(cpu, kBreakpoint, Fault::Kind::kSoftwareInterrupt);
};
constexpr auto int1 = [](Cpu& cpu) {
  return software_interrupt(cpu, kDebugException, Fault::Kind::kTrap);
};
constexpr auto into = [](Cpu& cpu, const Insn& insn) {
  if (!cpu.flags.of()) return cpu.leave(insn);
  return software_interrupt(cpu, kOverflow, Fault::Kind::kSoftwareInterrupt);
};

constexpr Row kRows[] = {
    row("CD ib", "int", r(Ib), "      ", ends_block, int_n),
    row("CC", "int3", "      ", ends_block, int3),
    row("F1", "int1", "      ", ends_block, int1),
    row("CE", "into", "T     ", not64, ends_block, into),
};

}  // namespace

std::span<const Row> interrupt_rows() {
  return kRows;
}

}  // namespace kite::tcg
