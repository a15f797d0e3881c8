#include "accel/tcg/trace.h"

#include "accel/tcg/disassembler.h"
#include "accel/tcg/isa/row.h"
#include "base/trace.h"

namespace kite::tcg {

void trace_instruction(const Cpu& cpu, const Block& block, const Insn& insn) {
  if (!insn.length) return;  // the block's terminator
  const u64 rip = cpu.this_rip(insn);
  std::array<u8, kMaxInsnLength> bytes{};
  const Gpa gpa = block.gpa + static_cast<u64>(insn.next_offset - insn.length);
  cpu.memory.read(gpa, {bytes.data(), insn.length});
  trace::write(trace::Category::kCpu,
               "{:016x} {:<40} rax={:x} rcx={:x} rdx={:x} rbx={:x} rsp={:x} rbp={:x} rsi={:x} "
               "rdi={:x} fl={:x}",
               rip, disassemble({bytes.data(), insn.length}, rip, cpu.mode.code_width),
               cpu.gpr[kRax], cpu.gpr[kRcx], cpu.gpr[kRdx], cpu.gpr[kRbx], cpu.gpr[kRsp],
               cpu.gpr[kRbp], cpu.gpr[kRsi], cpu.gpr[kRdi], cpu.rflags());
}

}  // namespace kite::tcg
