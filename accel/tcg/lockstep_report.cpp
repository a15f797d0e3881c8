#include "accel/tcg/lockstep_report.h"

#include <fmt/ranges.h>

#include "accel/tcg/disassembler.h"
#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"

namespace kite::tcg {

void LockstepRegisters::take(const Cpu& cpu, bool with_fpu) {
  gpr = cpu.gpr;
  flags = cpu.flags;
  system_flags = cpu.system_flags;
  rip = cpu.rip;
  cr2 = cpu.cr2;
  repeat_rip = cpu.repeat_rip;
  kernel_gs_base = cpu.msr.kernel_gs_base;
  segments = cpu.segments;
  segment_base = cpu.segment_base;
  if (with_fpu) fpu = cpu.fpu;
  fault = cpu.fault;
}

void LockstepRegisters::restore(Cpu& cpu, bool with_fpu) const {
  const u64 changed = cpu.system_flags ^ system_flags;
  if (with_fpu && cpu.fpu.pkru != fpu.pkru) cpu.write_pkru(fpu.pkru);
  cpu.gpr = gpr;
  cpu.flags = flags;
  cpu.system_flags = system_flags;
  cpu.rip = rip;
  cpu.cr2 = cr2;
  cpu.repeat_rip = repeat_rip;
  cpu.msr.kernel_gs_base = kernel_gs_base;
  cpu.segments = segments;
  cpu.segment_base = segment_base;
  if (with_fpu) cpu.fpu = fpu;
  cpu.fault = fault;
  if (changed & rflags::kAc) cpu.select_tables();
}

UndefinedFlags undefined_flags(const Block& block, const Insn& last) {
  constexpr u32 kBits[] = {kOf, kSf, kZf, kAf, kPf, kCf};  // as in Row::flags
  UndefinedFlags result{};
  for (unsigned n = 0; n <= last.ordinal; ++n) {
    const Row* row = Decoder::row_of(block.insns[n]);
    if (!row) continue;
    const std::string_view name = row->name;
    // By 0 bits it changes none.
    const bool may_keep = name.starts_with("sh") || name.starts_with("sa") ||
                          name.starts_with("ro") || name.starts_with("rc");
    for (unsigned i = 0; i < 6; ++i) {
      const char letter = row->flags[i];
      if ((letter == 'T' || letter == 'B') && (result.at_end & kBits[i])) result.used = true;
      if (letter == '-')
        result.at_end |= kBits[i];
      else if (letter != ' ' && letter != 'T' && !may_keep)
        result.at_end &= ~kBits[i];
    }
  }
  return result;
}

std::string listing(const Block& block, u64 rip) {
  std::string text;
  const u8* bytes = block.guest_bytes();
  for (unsigned n = 0; n < block.count; ++n) {
    const std::span<const u8> code(bytes, block.insns[n].length);
    text += fmt::format("  {:#018x} {:<32} {}\n", rip, fmt::format("{:02x}", fmt::join(code, " ")),
                        disassemble(code, rip, block.mode.code_width));
    bytes += code.size();
    rip += code.size();
  }
  return text;
}

namespace {

constexpr std::string_view kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

class Differences {
 public:
  template <class T>
  void number(std::string_view name, T before, T handlers, T translated) {
    if (handlers != translated)
      text_ += fmt::format("  {}: before {:#x}, handlers {:#x}, translated {:#x}\n", name, before,
                           handlers, translated);
  }
  template <class Bytes>
  void bytes(const std::string& name, const Bytes& before, const Bytes& handlers,
             const Bytes& translated) {
    if (handlers != translated)
      text_ += fmt::format(
          "  {}: before     {:02x}\n    handlers   {:02x}\n    translated {:02x}\n", name,
          fmt::join(before, ""), fmt::join(handlers, ""), fmt::join(translated, ""));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void compare_fpu(Differences& found, const FpuState& before, const FpuState& handlers,
                 const FpuState& translated) {
  found.number("mxcsr", before.mxcsr, handlers.mxcsr, translated.mxcsr);
  found.number("fcw", before.fcw, handlers.fcw, translated.fcw);
  found.number("fsw", before.fsw, handlers.fsw, translated.fsw);
  found.number("ftw", before.ftw, handlers.ftw, translated.ftw);
  found.number("fop", before.fop, handlers.fop, translated.fop);
  found.number("fip", before.fip, handlers.fip, translated.fip);
  found.number("fdp", before.fdp, handlers.fdp, translated.fdp);
  found.number("xcr0", before.xcr0, handlers.xcr0, translated.xcr0);
  found.number("pkru", before.pkru, handlers.pkru, translated.pkru);
  for (unsigned n = 0; n < 8; ++n)
    found.bytes(fmt::format("st{}", n), before.st[n], handlers.st[n], translated.st[n]);
  for (unsigned n = 0; n < 32; ++n)
    found.bytes(fmt::format("zmm{}", n), before.zmm[n], handlers.zmm[n], translated.zmm[n]);
}

}  // namespace

std::string differences(const LockstepRegisters& before, const LockstepRegisters& handlers,
                        const LockstepRegisters& translated) {
  Differences found;
  for (unsigned n = 0; n < 16; ++n)
    found.number(kNames[n], before.gpr[n], handlers.gpr[n], translated.gpr[n]);
  found.number("rip", before.rip, handlers.rip, translated.rip);
  found.number("flags", before.flags.get(), handlers.flags.get(), translated.flags.get());
  found.number("system flags", before.system_flags, handlers.system_flags, translated.system_flags);
  found.number("cr2", before.cr2, handlers.cr2, translated.cr2);
  found.number("kernel gs base", before.kernel_gs_base, handlers.kernel_gs_base,
               translated.kernel_gs_base);
  for (unsigned n = 0; n < 8; ++n)
    found.number(fmt::format("segment base {}", n), before.segment_base[n],
                 handlers.segment_base[n], translated.segment_base[n]);
  compare_fpu(found, before.fpu, handlers.fpu, translated.fpu);
  std::string text = "  before:";
  for (unsigned n = 0; n < 16; ++n) text += fmt::format(" {}={:x}", kNames[n], before.gpr[n]);
  return text + fmt::format(" flags={:x}\n", before.flags.get()) + found.text();
}

}  // namespace kite::tcg
