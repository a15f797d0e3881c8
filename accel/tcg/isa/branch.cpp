// Near branches: JMP, Jcc, CALL, RET, LOOP, JCXZ.
#include "accel/tcg/isa/condition.h"
#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

// Instruction pointers are as wide as the operand size.
u64 cut(const Insn& insn, u64 target) {
  return insn.width == 3 ? target : insn.width == 2 ? target & 0xffffffff : target & 0xffff;
}

inline Flow jump_relative(Cpu& cpu, const Insn& insn, u64 displacement) {
  return cpu.jump(cut(insn, cpu.next_rip(insn) + displacement));
}

template <unsigned CC>
constexpr auto jcc = [](Cpu& cpu, const Insn& insn, u64 displacement) {
  return condition<CC>(cpu.flags) ? jump_relative(cpu, insn, displacement) : cpu.leave(insn);
};

constexpr auto jmp = [](Cpu& cpu, const Insn& insn, u64 displacement) {
  return jump_relative(cpu, insn, displacement);
};

constexpr auto jmp_indirect = [](Cpu& cpu, auto target) { return cpu.jump(target); };

Flow call_to(Cpu& cpu, const Insn& insn, u64 target) {
  if (cpu.jump(target) == Flow::kFault) return Flow::kFault;
  const u64 next = cpu.next_rip(insn);
  const bool pushed = insn.width == 3   ? cpu.push<u64>(next)
                      : insn.width == 2 ? cpu.push<u32>(static_cast<u32>(next))
                                        : cpu.push<u16>(static_cast<u16>(next));
  return pushed ? Flow::kLeave : Flow::kFault;
}

constexpr auto call = [](Cpu& cpu, const Insn& insn, u64 displacement) {
  return call_to(cpu, insn, cut(insn, cpu.next_rip(insn) + displacement));
};

constexpr auto call_indirect = [](Cpu& cpu, const Insn& insn, auto target) {
  return call_to(cpu, insn, target);
};

template <class T>
Flow return_and_drop(Cpu& cpu, unsigned bytes) {
  T target;
  if (!cpu.peek<T>(0, target) || cpu.jump(target) == Flow::kFault) return Flow::kFault;
  cpu.set_rsp(cpu.gpr[kRsp] + sizeof(T) + bytes);
  return Flow::kLeave;
}

constexpr auto ret = [](Cpu& cpu, const Insn& insn) {
  const unsigned bytes = insn.opcode == 0xc2 ? static_cast<u16>(insn.imm) : 0;
  return insn.width == 3   ? return_and_drop<u64>(cpu, bytes)
         : insn.width == 2 ? return_and_drop<u32>(cpu, bytes)
                           : return_and_drop<u16>(cpu, bytes);
};

u64 counter(const Cpu& cpu, const Insn& insn) { return cpu.gpr[kRcx] & insn.address_mask(); }

void set_counter(Cpu& cpu, const Insn& insn, u64 value) {
  const u64 mask = insn.address_mask();
  cpu.gpr[kRcx] = insn.address_width == 1 ? (cpu.gpr[kRcx] & ~mask) | (value & mask) : value & mask;
}

// LOOP, LOOPE, LOOPNE: E0h and E1h also look at ZF.
constexpr auto loop = [](Cpu& cpu, const Insn& insn, u64 displacement) {
  const u64 count = (counter(cpu, insn) - 1) & insn.address_mask();
  const bool wanted = insn.opcode == 0xe2 || cpu.flags.zf() == (insn.opcode == 0xe1);
  const bool taken = count != 0 && wanted;
  const Flow flow = taken ? jump_relative(cpu, insn, displacement) : cpu.leave(insn);
  if (flow != Flow::kFault) set_counter(cpu, insn, count);
  return flow;
};

constexpr auto jcxz = [](Cpu& cpu, const Insn& insn, u64 displacement) {
  return counter(cpu, insn) == 0 ? jump_relative(cpu, insn, displacement) : cpu.leave(insn);
};

constexpr Row kRows[] = {
    row("EB cb", "jmp", r(Jb), "      ", force64, ends_block, jmp),
    row("E9 cz", "jmp", r(Jz), "      ", force64, ends_block, jmp),
    row("FF /4", "jmp", r(Ev), "      ", force64, ends_block, hot, jmp_indirect),
    row("E8 cz", "call", r(Jz), "      ", force64, ends_block, call),
    row("FF /2", "call", r(Ev), "      ", force64, ends_block, hot, call_indirect),
    row("C3", "ret", "      ", force64, ends_block, ret),
    row("C2 iw", "ret", "      ", force64, ends_block, ret),
    row("E0 cb", "loopne", r(Jb), "  T   ", force64, ends_block, loop),
    row("E1 cb", "loope", r(Jb), "  T   ", force64, ends_block, loop),
    row("E2 cb", "loop", r(Jb), "      ", force64, ends_block, loop),
    row("E3 cb", "jcxz", r(Jb), "      ", force64, ends_block, jcxz),

    row("70 cb", "jo", r(Jb), "T     ", force64, ends_block, jcc<0>),
    row("71 cb", "jno", r(Jb), "T     ", force64, ends_block, jcc<1>),
    row("72 cb", "jb", r(Jb), "     T", force64, ends_block, jcc<2>),
    row("73 cb", "jae", r(Jb), "     T", force64, ends_block, jcc<3>),
    row("74 cb", "je", r(Jb), "  T   ", force64, ends_block, jcc<4>),
    row("75 cb", "jne", r(Jb), "  T   ", force64, ends_block, jcc<5>),
    row("76 cb", "jbe", r(Jb), "  T  T", force64, ends_block, jcc<6>),
    row("77 cb", "ja", r(Jb), "  T  T", force64, ends_block, jcc<7>),
    row("78 cb", "js", r(Jb), " T    ", force64, ends_block, jcc<8>),
    row("79 cb", "jns", r(Jb), " T    ", force64, ends_block, jcc<9>),
    row("7A cb", "jp", r(Jb), "    T ", force64, ends_block, jcc<10>),
    row("7B cb", "jnp", r(Jb), "    T ", force64, ends_block, jcc<11>),
    row("7C cb", "jl", r(Jb), "TT    ", force64, ends_block, jcc<12>),
    row("7D cb", "jge", r(Jb), "TT    ", force64, ends_block, jcc<13>),
    row("7E cb", "jle", r(Jb), "TTT   ", force64, ends_block, jcc<14>),
    row("7F cb", "jg", r(Jb), "TTT   ", force64, ends_block, jcc<15>),

    row("0F 80 cz", "jo", r(Jz), "T     ", force64, ends_block, jcc<0>),
    row("0F 81 cz", "jno", r(Jz), "T     ", force64, ends_block, jcc<1>),
    row("0F 82 cz", "jb", r(Jz), "     T", force64, ends_block, jcc<2>),
    row("0F 83 cz", "jae", r(Jz), "     T", force64, ends_block, jcc<3>),
    row("0F 84 cz", "je", r(Jz), "  T   ", force64, ends_block, jcc<4>),
    row("0F 85 cz", "jne", r(Jz), "  T   ", force64, ends_block, jcc<5>),
    row("0F 86 cz", "jbe", r(Jz), "  T  T", force64, ends_block, jcc<6>),
    row("0F 87 cz", "ja", r(Jz), "  T  T", force64, ends_block, jcc<7>),
    row("0F 88 cz", "js", r(Jz), " T    ", force64, ends_block, jcc<8>),
    row("0F 89 cz", "jns", r(Jz), " T    ", force64, ends_block, jcc<9>),
    row("0F 8A cz", "jp", r(Jz), "    T ", force64, ends_block, jcc<10>),
    row("0F 8B cz", "jnp", r(Jz), "    T ", force64, ends_block, jcc<11>),
    row("0F 8C cz", "jl", r(Jz), "TT    ", force64, ends_block, jcc<12>),
    row("0F 8D cz", "jge", r(Jz), "TT    ", force64, ends_block, jcc<13>),
    row("0F 8E cz", "jle", r(Jz), "TTT   ", force64, ends_block, jcc<14>),
    row("0F 8F cz", "jg", r(Jz), "TTT   ", force64, ends_block, jcc<15>),
};

}  // namespace

std::span<const Row> branch_rows() { return kRows; }

}  // namespace kite::tcg
