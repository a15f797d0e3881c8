// IN, OUT and the flag instructions.
#include "accel/tcg/isa/io.h"

#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"

namespace kite::tcg {

bool may_access_port(Cpu& cpu, u16 port, unsigned size) {
  if (cpu.barred()) return cpu.bar(), false;
  if (!cpu.mode.protected_mode || (!cpu.mode.v86 && cpu.cpl <= cpu.iopl())) return true;
  const auto refuse = [&] {
    cpu.general_protection();
    return false;
  };
  constexpr u32 kMapBase = 0x66;  // of a 32- or 64-bit TSS
  if (!(cpu.tr.type & 8) || cpu.tr.limit < kMapBase + 1) return refuse();
  u16 base;
  if (!cpu.system_load(cpu.tr.base + kMapBase, &base, 2)) return false;
  const u32 offset = base + port / 8u;
  if (offset + 1 > cpu.tr.limit) return refuse();
  u16 map;
  if (!cpu.system_load(cpu.tr.base + offset, &map, 2)) return false;
  const u32 mask = ((1u << size) - 1) << (port % 8);
  return !(map & mask) || refuse();
}

namespace {

constexpr auto in = []<class T>(Cpu& cpu, T& value, u16 port) {
  if (!may_access_port(cpu, port, sizeof(T))) return Flow::kFault;
  value = static_cast<T>(cpu.ports.in(port, sizeof(T)));
  return Flow::kNext;
};

constexpr auto out = []<class T>(Cpu& cpu, const Insn& insn, u16 port, T value) {
  if (!may_access_port(cpu, port, sizeof(T))) return Flow::kFault;
  cpu.ports.out(port, value, sizeof(T));
  // The device may have asked for a reset, a kick or an interrupt: look before going on.
  return cpu.leave(insn);
};

constexpr auto clc = [](Cpu& cpu) { cpu.flags.set_cf(false); };
constexpr auto stc = [](Cpu& cpu) { cpu.flags.set_cf(true); };
constexpr auto cmc = [](Cpu& cpu) { cpu.flags.set_cf(!cpu.flags.cf()); };
constexpr auto cld = [](Cpu& cpu) { cpu.system_flags &= ~rflags::kDf; };
constexpr auto std_ = [](Cpu& cpu) { cpu.system_flags |= rflags::kDf; };

constexpr u32 kLahfFlags = kSf | kZf | kAf | kPf | kCf;
constexpr auto lahf = [](Cpu& cpu) {
  cpu.put<u8>(kRax * 8 + 1, static_cast<u8>((cpu.flags.get() & kLahfFlags) | rflags::kFixed));
};
constexpr auto sahf = [](Cpu& cpu) { cpu.flags.update(kLahfFlags, cpu.get<u8>(kRax * 8 + 1)); };
constexpr auto salc = [](Cpu& cpu) { cpu.put<u8>(kRax * 8, cpu.flags.cf() ? 0xff : 0); };

bool may_change_if(const Cpu& cpu) {
  return !cpu.mode.protected_mode || (cpu.mode.v86 ? cpu.iopl() == 3 : cpu.cpl <= cpu.iopl());
}

// Where IF is out of reach, CR4.VME (virtual-8086 mode) and CR4.PVI (level 3) give VIF in its place
// (SDM 3B 20.3.3, 20.4).
bool has_virtual_if(const Cpu& cpu) {
  return cpu.mode.v86 ? (cpu.cr4 & cr4::kVme) != 0 : (cpu.cr4 & cr4::kPvi) && cpu.cpl == 3;
}

constexpr auto cli = [](Cpu& cpu) {
  if (!may_change_if(cpu) && !has_virtual_if(cpu)) return cpu.general_protection();
  cpu.system_flags &= ~(may_change_if(cpu) ? rflags::kIf : rflags::kVif);
  return Flow::kNext;
};

// The instruction after STI still runs before an interrupt, if IF was clear (SDM 2B "STI"): STI; HLT
// relies on it.
constexpr auto sti = [](Cpu& cpu, const Insn& insn) {
  if (!may_change_if(cpu)) {
    if (!has_virtual_if(cpu) || (cpu.system_flags & rflags::kVip)) return cpu.general_protection();
    cpu.system_flags |= rflags::kVif;
  } else if (!(cpu.system_flags & rflags::kIf)) {
    cpu.system_flags |= rflags::kIf;
    cpu.shadow_interrupts();
  }
  return cpu.leave(insn);
};

constexpr Row kRows[] = {
    row("E4 ib", "in", w(AL), r(Ib), "      ", in),
    row("E5 ib", "in", w(zAX), r(Ib), "      ", in),
    row("EC", "in", w(AL), r(DX), "      ", in),
    row("ED", "in", w(zAX), r(DX), "      ", in),
    row("E6 ib", "out", r(Ib), r(AL), "      ", ends_block, out),
    row("E7 ib", "out", r(Ib), r(zAX), "      ", ends_block, out),
    row("EE", "out", r(DX), r(AL), "      ", ends_block, out),
    row("EF", "out", r(DX), r(zAX), "      ", ends_block, out),
    row("F8", "clc", "     0", clc),
    row("F9", "stc", "     1", stc),
    row("F5", "cmc", "     B", cmc),
    row("FC", "cld", "      ", cld),
    row("FD", "std", "      ", std_),
    row("9F", "lahf", " TTTTT", lahf),
    row("9E", "sahf", " MMMMM", sahf),
    row("D6", "salc", "     T", not64, salc),
    row("FA", "cli", "      ", cli),
    row("FB", "sti", "      ", ends_block, sti),
};

}  // namespace

std::span<const Row> io_rows() { return kRows; }

}  // namespace kite::tcg
