// PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE.
#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"

namespace kite::tcg {
namespace {

constexpr auto push = []<class T>(Cpu& cpu, T value) {
  return cpu.push<T>(value) ? Flow::kNext : Flow::kFault;
};

constexpr auto pop = []<class T>(Cpu& cpu, T& value) {
  return cpu.pop<T>(value) ? Flow::kNext : Flow::kFault;
};

// The address of POP's destination is computed after RSP has moved, and a fault there leaves RSP alone (SDM 2B "POP").
constexpr auto pop_rm = []<class T>(Cpu& cpu, const Insn& insn, T& value) {
  const u64 rsp = cpu.gpr[kRsp];
  if (!cpu.pop<T>(value)) return Flow::kFault;
  if (!insn.is_memory) {
    cpu.put<T>(insn.rm, value);
    return Flow::kNext;
  }
  if (cpu.store_operand<T>(insn, value)) return Flow::kNext;
  cpu.gpr[kRsp] = rsp;
  return Flow::kFault;
};

constexpr Gpr kAll[] = {kRax, kRcx, kRdx, kRbx, kRsp, kRbp, kRsi, kRdi};

template <class T>
Flow push_all(Cpu& cpu) {
  const u64 rsp = cpu.gpr[kRsp];
  for (Gpr number : kAll) {
    const u64 value = number == kRsp ? rsp : cpu.gpr[number];
    if (cpu.push<T>(static_cast<T>(value))) continue;
    cpu.gpr[kRsp] = rsp;
    return Flow::kFault;
  }
  return Flow::kNext;
}

template <class T>
Flow pop_all(Cpu& cpu) {
  T values[8];
  for (unsigned i = 0; i < 8; ++i)
    if (!cpu.peek<T>(i * sizeof(T), values[i])) return Flow::kFault;
  for (unsigned i = 0; i < 8; ++i)
    if (kAll[7 - i] != kRsp) cpu.put<T>(static_cast<u8>(kAll[7 - i] * 8), values[i]);
  cpu.set_rsp(cpu.gpr[kRsp] + 8 * sizeof(T));
  return Flow::kNext;
}

constexpr auto pusha = [](Cpu& cpu, const Insn& insn) {
  return insn.width == 1 ? push_all<u16>(cpu) : push_all<u32>(cpu);
};
constexpr auto popa = [](Cpu& cpu, const Insn& insn) {
  return insn.width == 1 ? pop_all<u16>(cpu) : pop_all<u32>(cpu);
};

// In virtual-8086 mode below IOPL 3, CR4.VME lets the 16-bit forms see VIF in the place of IF (SDM 3B
// 20.3.3); everything else there is #GP(0).
bool uses_virtual_if(const Cpu& cpu) { return cpu.mode.v86 && cpu.iopl() < 3; }
bool may_use_virtual_if(const Cpu& cpu, const Insn& insn) {
  return (cpu.cr4 & cr4::kVme) && insn.width == 1;
}

constexpr auto pushf = [](Cpu& cpu, const Insn& insn) {
  u64 value = cpu.rflags() & ~(rflags::kVm | rflags::kRf);
  if (uses_virtual_if(cpu)) {
    if (!may_use_virtual_if(cpu, insn)) return cpu.general_protection();
    value = (value & ~rflags::kIf) | rflags::kIopl;
    if (cpu.system_flags & rflags::kVif) value |= rflags::kIf;
  }
  const bool pushed = insn.width == 3   ? cpu.push<u64>(value)
                      : insn.width == 2 ? cpu.push<u32>(static_cast<u32>(value))
                                        : cpu.push<u16>(static_cast<u16>(value));
  return pushed ? Flow::kNext : Flow::kFault;
};

// Which bits POPF may change (SDM 2B "POPF", table 4-15).
u64 popf_mask(const Cpu& cpu) {
  u64 mask = kArithmeticFlags | rflags::kTf | rflags::kDf | rflags::kNt | rflags::kAc | rflags::kId;
  if (cpu.cpl <= cpu.iopl() || !cpu.mode.protected_mode) mask |= rflags::kIf;
  if (cpu.cpl == 0) mask |= rflags::kIopl;
  return mask;
}

template <class T>
Flow pop_flags(Cpu& cpu, const Insn& insn) {
  T value;
  if (!cpu.pop<T>(value)) return Flow::kFault;
  const u64 mask = popf_mask(cpu) & (sizeof(T) == 2 ? 0xffff : ~u64{0});
  cpu.set_rflags((cpu.rflags() & ~mask & ~rflags::kRf) | (value & mask));
  return cpu.leave(insn);
}

Flow pop_virtual_flags(Cpu& cpu, const Insn& insn) {
  u16 value;
  if (!cpu.peek<u16>(0, value)) return Flow::kFault;
  if ((value & rflags::kTf) || ((value & rflags::kIf) && (cpu.system_flags & rflags::kVip)))
    return cpu.general_protection();
  cpu.set_rsp(cpu.gpr[kRsp] + 2);
  constexpr u64 kMask = kArithmeticFlags | rflags::kTf | rflags::kDf | rflags::kNt;
  const u64 vif = value & rflags::kIf ? rflags::kVif : 0;
  cpu.set_rflags((cpu.rflags() & ~(kMask | rflags::kVif | rflags::kRf)) | (value & kMask) | vif);
  return cpu.leave(insn);
}

constexpr auto popf = [](Cpu& cpu, const Insn& insn) {
  if (uses_virtual_if(cpu))
    return may_use_virtual_if(cpu, insn) ? pop_virtual_flags(cpu, insn) : cpu.general_protection();
  return insn.width == 3   ? pop_flags<u64>(cpu, insn)
         : insn.width == 2 ? pop_flags<u32>(cpu, insn)
                           : pop_flags<u16>(cpu, insn);
};

// ENTER with up to 31 levels of display (SDM 2A "ENTER").
template <class T>
Flow enter_frame(Cpu& cpu, const Insn& insn) {
  const u16 size = static_cast<u16>(insn.imm);
  const unsigned level = static_cast<u32>(insn.imm) >> 16 & 31;
  const u64 rsp = cpu.gpr[kRsp];
  const u64 mask = cpu.stack_mask();
  const auto undo = [&] {
    cpu.gpr[kRsp] = rsp;
    return Flow::kFault;
  };
  if (!cpu.push<T>(static_cast<T>(cpu.gpr[kRbp]))) return Flow::kFault;
  const u64 frame = cpu.gpr[kRsp];
  for (unsigned i = 1; i < level; ++i) {
    T outer;
    u64 linear;
    const u64 address = (cpu.gpr[kRbp] - i * sizeof(T)) & mask;
    if (!cpu.stack_address(address, sizeof(T), Access::kRead, linear) ||
        !cpu.load_at<T>(linear, outer, true) || !cpu.push<T>(outer))
      return undo();
  }
  if (level && !cpu.push<T>(static_cast<T>(frame))) return undo();
  const u64 bottom = cpu.gpr[kRsp] - size;
  u64 linear;
  if (!cpu.stack_address(bottom, sizeof(T), Access::kWrite, linear) ||
      !cpu.probe_write(linear, sizeof(T), true))
    return undo();
  cpu.set_rsp(bottom);
  cpu.put<T>(kRbp * 8, static_cast<T>(frame));
  return Flow::kNext;
}

constexpr auto enter = [](Cpu& cpu, const Insn& insn, u16, u8) {
  return insn.width == 3   ? enter_frame<u64>(cpu, insn)
         : insn.width == 2 ? enter_frame<u32>(cpu, insn)
                           : enter_frame<u16>(cpu, insn);
};

template <class T>
Flow leave_frame(Cpu& cpu) {
  T frame;
  u64 linear;
  const u64 rbp = cpu.gpr[kRbp] & cpu.stack_mask();
  if (!cpu.stack_address(rbp, sizeof(T), Access::kRead, linear) ||
      !cpu.load_at<T>(linear, frame, true))
    return Flow::kFault;
  cpu.set_rsp(rbp + sizeof(T));
  cpu.put<T>(kRbp * 8, frame);
  return Flow::kNext;
}

constexpr auto leave = [](Cpu& cpu, const Insn& insn) {
  return insn.width == 3   ? leave_frame<u64>(cpu)
         : insn.width == 2 ? leave_frame<u32>(cpu)
                           : leave_frame<u16>(cpu);
};

constexpr Row kRows[] = {
    row("50+r", "push", r(Zv), "      ", default64, push),
    row("58+r", "pop", w(Zv), "      ", default64, pop),
    row("FF /6", "push", r(Ev), "      ", default64, push),
    row("8F /0", "pop", w(EvOwn), "      ", default64, pop_rm),
    row("68 iz", "push", r(Iz), "      ", default64, push),
    row("6A ib", "push", r(sIb), "      ", default64, push),
    row("60", "pusha", "      ", not64, pusha),
    row("61", "popa", "      ", not64, popa),
    row("9C", "pushf", "TTTTTT", default64, pushf),
    row("9D", "popf", "MMMMMM", default64, ends_block, popf),
    row("C8 iw ib", "enter", r(Iw), r(Ib), "      ", default64, enter),
    row("C9", "leave", "      ", default64, leave),
};

}  // namespace

std::span<const Row> stack_rows() { return kRows; }

}  // namespace kite::tcg
