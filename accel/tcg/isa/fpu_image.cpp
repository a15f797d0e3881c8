#include "accel/tcg/isa/fpu_image.h"

#include "accel/tcg/fpu/sse_float.h"
#include "accel/tcg/isa/memory_block.h"
#include "accel/tcg/isa/x87.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {

void put_x87(Cpu& cpu, FpuImage& image, bool wide) {
  const FpuState& f = cpu.fpu;
  store<u16>(&image[0], f.fcw);
  store<u16>(&image[2], f.fsw);
  store<u16>(&image[4], f.ftw);
  store<u16>(&image[6], f.fop);
  store<u64>(&image[8], wide ? f.fip : static_cast<u32>(f.fip) | u64{f.fcs} << 32);
  store<u64>(&image[16], wide ? f.fdp : static_cast<u32>(f.fdp) | u64{f.fds} << 32);
  X87 x87(cpu);
  for (unsigned i = 0; i < 8; ++i) {
    const fpu::Float80 value = x87.get(i);
    store<u64>(&image[kStackAt + 16 * i], value.significand);
    store<u64>(&image[kStackAt + 16 * i + 8], value.sign_exponent);
  }
}

void take_x87(Cpu& cpu, const FpuImage& image, bool wide) {
  FpuState& f = cpu.fpu;
  f.fcw = (load<u16>(&image[0]) & 0x1f3f) | 0x40;
  f.fsw = load<u16>(&image[2]);
  f.fop = load<u16>(&image[6]) & 0x7ff;
  const u64 ip = load<u64>(&image[8]), dp = load<u64>(&image[16]);
  // Intel's processors make FIP canonical, for the widest addresses they have, and leave FDP alone.
  f.fip = wide ? cpu.made_canonical(ip) : static_cast<u32>(ip);
  f.fdp = wide ? dp : static_cast<u32>(dp);
  f.fcs = wide ? 0 : static_cast<u16>(ip >> 32);
  f.fds = wide ? 0 : static_cast<u16>(dp >> 32);
  X87 x87(cpu);
  for (unsigned i = 0; i < 8; ++i) {
    const u8* from = &image[kStackAt + 16 * i];
    x87.set(i, {load<u64>(from), load<u16>(from + 8)});
  }
  f.ftw = image[4];
  x87.update_summary();
}

void put_mxcsr(const Cpu& cpu, FpuImage& image) {
  store<u32>(&image[kMxcsrAt], cpu.fpu.mxcsr);
  store<u32>(&image[kMxcsrAt + 4], fpu::kMxcsrValid);
}

void put_xmm(const Cpu& cpu, FpuImage& image) {
  for (unsigned i = 0; i < vector_registers(cpu); ++i)
    std::memcpy(&image[kXmmAt + 16 * i], cpu.fpu.zmm[i].data(), 16);
}

void take_xmm(Cpu& cpu, const FpuImage& image) {
  for (unsigned i = 0; i < vector_registers(cpu); ++i)
    std::memcpy(cpu.fpu.zmm[i].data(), &image[kXmmAt + 16 * i], 16);
}

bool valid_mxcsr(u32 value) {
  return (value & ~fpu::kMxcsrValid) == 0;
}

bool fpu_area(Cpu& cpu, const Insn& insn, unsigned size, unsigned alignment, Access access,
              u64& linear) {
  if (!cpu.linear_address(insn, size, access, linear)) return false;
  if (cpu.code64() && !cpu.canonical(linear)) {
    if (Cpu::is_stack(insn.segment)) return cpu.raise_with_code(kite::kStackFault, 0), false;
    return cpu.general_protection(), false;
  }
  if (linear % alignment) return cpu.general_protection(), false;
  return true;
}

bool store_part(Cpu& cpu, u64 linear, const FpuImage& image, unsigned from, unsigned to) {
  return store_bytes_at(cpu, linear + from, std::span(image).subspan(from, to - from));
}

}  // namespace kite::tcg
