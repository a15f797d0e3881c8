// The image that FXSAVE and XSAVE begin with: x87 state, MXCSR and XMM registers (SDM
// 1 10.5, 13.4.1).
#pragma once

#include "accel/tcg/cpu.h"

namespace kite::tcg {

// Offsets in the image.
inline constexpr unsigned kMxcsrAt = 24, kStackAt = 32, kXmmAt = 160, kXmmEnd = 416;
using FpuImage = std::array<u8, kXmmEnd>;

// How many vector registers the mode has.
inline unsigned vector_registers(const Cpu& cpu) {
  return cpu.code64() ? 16 : 8;
}

// `wide`: FIP and FDP of 64 bits (REX.W); else 32 bits and selectors.
void put_x87(Cpu& cpu, FpuImage& image, bool wide);
void take_x87(Cpu& cpu, const FpuImage& image, bool wide);
void put_mxcsr(const Cpu& cpu, FpuImage& image);  // and MXCSR_MASK
void put_xmm(const Cpu& cpu, FpuImage& image);
void take_xmm(Cpu& cpu, const FpuImage& image);
bool valid_mxcsr(u32 value);

// The linear address of an area of `size` bytes, its alignment checked. False: #GP or a segment's
// fault.
bool fpu_area(Cpu& cpu, const Insn& insn, unsigned size, unsigned alignment, Access access,
              u64& linear);
// Stores the image's bytes from `from` to `to`.
bool store_part(Cpu& cpu, u64 linear, const FpuImage& image, unsigned from, unsigned to);

}  // namespace kite::tcg
