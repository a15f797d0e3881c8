#include "accel/tcg/trace.h"

#include <capstone/capstone.h>

#include "accel/tcg/isa/row.h"
#include "base/trace.h"

namespace kite::tcg {

namespace {

// A Capstone handle for one code width; Capstone's own failure shows as the row's name instead.
class Disassembler {
 public:
  explicit Disassembler(cs_mode mode) {
    usable_ = cs_open(CS_ARCH_X86, mode, &handle_) == CS_ERR_OK;
  }
  ~Disassembler() {
    if (usable_) cs_close(&handle_);
  }
  std::string text(std::span<const u8> bytes, u64 rip) const {
    cs_insn* insn = nullptr;
    const size_t count =
        usable_ ? cs_disasm(handle_, bytes.data(), bytes.size(), rip, 1, &insn) : 0;
    if (!count) return "?";
    std::string result = fmt::format("{} {}", insn->mnemonic, insn->op_str);
    cs_free(insn, count);
    return result;
  }

 private:
  csh handle_ = 0;
  bool usable_ = false;
};

const Disassembler& disassembler(unsigned code_width) {
  thread_local const Disassembler kModes[] = {Disassembler(CS_MODE_16), Disassembler(CS_MODE_32),
                                              Disassembler(CS_MODE_64)};
  return kModes[code_width - 1];
}

}  // namespace

void trace_instruction(const Cpu& cpu, const Block& block, const Insn& insn) {
  if (!insn.length) return;  // the block's terminator
  const u64 rip = cpu.this_rip(insn);
  std::array<u8, kMaxInsnLength> bytes{};
  const Gpa gpa = block.gpa + static_cast<u64>(insn.next_offset - insn.length);
  cpu.memory.read(gpa, {bytes.data(), insn.length});
  trace::write(trace::Category::kCpu,
               "{:016x} {:<40} rax={:x} rcx={:x} rdx={:x} rbx={:x} rsp={:x} rbp={:x} rsi={:x} "
               "rdi={:x} fl={:x}",
               rip, disassembler(cpu.mode.code_width).text({bytes.data(), insn.length}, rip),
               cpu.gpr[kRax], cpu.gpr[kRcx], cpu.gpr[kRdx], cpu.gpr[kRbx], cpu.gpr[kRsp],
               cpu.gpr[kRbp], cpu.gpr[kRsi], cpu.gpr[kRdi], cpu.rflags());
}

}  // namespace kite::tcg
