// FXSAVE, FXRSTOR: the x87 and SSE state in memory (SDM 1 10.5); MXCSR.
#include "accel/tcg/isa/fpu_image.h"
#include "accel/tcg/isa/memory_block.h"
#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

constexpr const char* kNone = "      ";

// --- FXSAVE, FXRSTOR
// -----------------------------------------------------------------------------------
template <bool kWide>
constexpr auto fxsave = [](Cpu& cpu, const Insn& insn, u64) {
  u64 linear;
  if (!fpu_area(cpu, insn, 512, 16, Access::kWrite, linear)) return Flow::kFault;
  if (!cpu.probe_write(linear, 512, Cpu::is_stack(insn.segment))) return Flow::kFault;
  FpuImage image{};
  put_x87(cpu, image, kWide);
  put_mxcsr(cpu, image);
  put_xmm(cpu, image);
  const unsigned end = kXmmAt + 16 * vector_registers(cpu);
  return store_part(cpu, linear, image, 0, end) ? Flow::kNext : Flow::kFault;
};

template <bool kWide>
constexpr auto fxrstor = [](Cpu& cpu, const Insn& insn, u64) {
  u64 linear;
  FpuImage image;
  if (!fpu_area(cpu, insn, 512, 16, Access::kRead, linear)) return Flow::kFault;
  if (!load_bytes_at(cpu, linear, image)) return Flow::kFault;
  const u32 mxcsr = load<u32>(&image[kMxcsrAt]);
  if (!valid_mxcsr(mxcsr)) return cpu.general_protection();
  take_x87(cpu, image, kWide);
  cpu.fpu.mxcsr = mxcsr;
  take_xmm(cpu, image);
  return Flow::kNext;
};

// --- MXCSR
// -----------------------------------------------------------------------------------------
constexpr auto ldmxcsr = [](Cpu& cpu, u32 src) {
  if (!valid_mxcsr(src)) return cpu.general_protection();
  cpu.fpu.mxcsr = src;
  return Flow::kNext;
};
constexpr auto stmxcsr = [](Cpu& cpu, u32& dst) { dst = cpu.fpu.mxcsr; };

constexpr Row kRows[] = {
    row("NP REX.W0 0F AE /0", "fxsave", r(M), kNone, x87, fxsave<false>),
    row("NP REX.W 0F AE /0", "fxsave64", r(M), kNone, x87, fxsave<true>),
    row("NP REX.W0 0F AE /1", "fxrstor", r(M), kNone, x87, fxrstor<false>),
    row("NP REX.W 0F AE /1", "fxrstor64", r(M), kNone, x87, fxrstor<true>),
    row("NP 0F AE /2", "ldmxcsr", r(Md), kNone, sse, ldmxcsr),
    row("NP 0F AE /3", "stmxcsr", w(Md), kNone, sse, stmxcsr),
    row("VEX.128.NP.0F.WIG AE /2", "vldmxcsr", r(Md), kNone, avx, ldmxcsr),
    row("VEX.128.NP.0F.WIG AE /3", "vstmxcsr", w(Md), kNone, avx, stmxcsr),
};

}  // namespace

std::span<const Row> fpu_state_rows() {
  return kRows;
}

}  // namespace kite::tcg
