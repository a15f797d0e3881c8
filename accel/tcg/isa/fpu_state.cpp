// FXSAVE, XSAVE and their kin: the x87 and SSE state in memory (SDM 1 10.5, 13), MXCSR and XCR0.
#include "accel/tcg/fpu/sse_float.h"
#include "accel/tcg/isa/memory_block.h"
#include "accel/tcg/isa/x87.h"
#include "accel/x86/registers.h"

namespace kite::tcg {
namespace {

constexpr const char* kNone = "      ";
constexpr Feature kXsave = Feature::kXsave;

// Offsets in the image.
constexpr unsigned kMxcsrAt = 24, kStackAt = 32, kXmmAt = 160, kXmmEnd = 416, kHeaderAt = 512,
                   kHeaderSize = 64;
using Image = std::array<u8, kXmmEnd>;

unsigned xmm_count(const Cpu& cpu) {
  return cpu.code64() ? 16 : 8;
}

// --- the parts of an image
// ---------------------------------------------------------------------------
void put_x87(Cpu& cpu, Image& image, bool wide) {
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

void take_x87(Cpu& cpu, const Image& image, bool wide) {
  FpuState& f = cpu.fpu;
  f.fcw = (load<u16>(&image[0]) & 0x1f3f) | 0x40;
  f.fsw = load<u16>(&image[2]);
  f.fop = load<u16>(&image[6]) & 0x7ff;
  const u64 ip = load<u64>(&image[8]), dp = load<u64>(&image[16]);
  f.fip = wide ? ip : static_cast<u32>(ip);
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

void put_mxcsr(const Cpu& cpu, Image& image) {
  store<u32>(&image[kMxcsrAt], cpu.fpu.mxcsr);
  store<u32>(&image[kMxcsrAt + 4], fpu::kMxcsrValid);
}

void put_xmm(const Cpu& cpu, Image& image) {
  for (unsigned i = 0; i < xmm_count(cpu); ++i)
    std::memcpy(&image[kXmmAt + 16 * i], cpu.fpu.zmm[i].data(), 16);
}

void take_xmm(Cpu& cpu, const Image& image) {
  for (unsigned i = 0; i < xmm_count(cpu); ++i)
    std::memcpy(cpu.fpu.zmm[i].data(), &image[kXmmAt + 16 * i], 16);
}

bool valid_mxcsr(u32 value) {
  return (value & ~fpu::kMxcsrValid) == 0;
}

// The area's linear address, its alignment checked. False: #GP or a segment's fault.
bool area(Cpu& cpu, const Insn& insn, unsigned size, unsigned alignment, Access access,
          u64& linear) {
  if (!cpu.linear_address(insn, size, access, linear)) return false;
  if (linear % alignment) return cpu.general_protection(), false;
  return true;
}

bool store_part(Cpu& cpu, u64 linear, const Image& image, unsigned from, unsigned to) {
  return store_bytes_at(cpu, linear + from, std::span(image).subspan(from, to - from));
}

// --- FXSAVE, FXRSTOR
// -----------------------------------------------------------------------------------
template <bool kWide>
constexpr auto fxsave = [](Cpu& cpu, const Insn& insn, u64) {
  u64 linear;
  if (!area(cpu, insn, 512, 16, Access::kWrite, linear)) return Flow::kFault;
  if (!cpu.probe_write(linear, 512, Cpu::is_stack(insn.segment))) return Flow::kFault;
  Image image{};
  put_x87(cpu, image, kWide);
  put_mxcsr(cpu, image);
  put_xmm(cpu, image);
  const unsigned end = kXmmAt + 16 * xmm_count(cpu);
  return store_part(cpu, linear, image, 0, end) ? Flow::kNext : Flow::kFault;
};

template <bool kWide>
constexpr auto fxrstor = [](Cpu& cpu, const Insn& insn, u64) {
  u64 linear;
  Image image;
  if (!area(cpu, insn, 512, 16, Access::kRead, linear)) return Flow::kFault;
  if (!load_bytes_at(cpu, linear, image)) return Flow::kFault;
  const u32 mxcsr = load<u32>(&image[kMxcsrAt]);
  if (!valid_mxcsr(mxcsr)) return cpu.general_protection();
  take_x87(cpu, image, kWide);
  cpu.fpu.mxcsr = mxcsr;
  take_xmm(cpu, image);
  return Flow::kNext;
};

// --- XSAVE, XRSTOR
// ---------------------------------------------------------------------------------------
bool xsave_enabled(Cpu& cpu) {
  if (!(cpu.cr4 & cr4::kOsxsave)) return cpu.undefined_opcode(), false;
  if (cpu.cr0 & cr0::kTs) return cpu.device_not_available(), false;
  return true;
}

// The requested-feature bitmap: XCR0 and EDX:EAX.
u64 requested(const Cpu& cpu) {
  const u64 mask = static_cast<u32>(cpu.gpr[kRax]) | cpu.gpr[kRdx] << 32;
  return cpu.fpu.xcr0 & mask;
}

template <bool kWide>
constexpr auto xsave = [](Cpu& cpu, const Insn& insn, u64) {
  if (!xsave_enabled(cpu)) return Flow::kFault;
  constexpr unsigned kSize = kHeaderAt + kHeaderSize;
  u64 linear, present;
  if (!area(cpu, insn, kSize, 64, Access::kWrite, linear)) return Flow::kFault;
  if (!cpu.probe_write(linear, kSize, Cpu::is_stack(insn.segment))) return Flow::kFault;
  if (!cpu.load_at<u64>(linear + kHeaderAt, present)) return Flow::kFault;
  const u64 wanted = requested(cpu);
  Image image{};
  put_x87(cpu, image, kWide);
  put_mxcsr(cpu, image);
  put_xmm(cpu, image);
  bool stored = true;
  if (wanted & xcr0::kX87)
    stored = store_part(cpu, linear, image, 0, kMxcsrAt) &&
             store_part(cpu, linear, image, kStackAt, kXmmAt);
  if (stored && wanted & (xcr0::kSse | xcr0::kAvx))
    stored = store_part(cpu, linear, image, kMxcsrAt, kStackAt);
  if (stored && wanted & xcr0::kSse)
    stored = store_part(cpu, linear, image, kXmmAt, kXmmAt + 16 * xmm_count(cpu));
  // Every requested component counts as in use, as the manual allows (SDM 1 13.6).
  present = (present & ~wanted) | wanted;
  stored = stored && cpu.store_at<u64>(linear + kHeaderAt, present);
  return stored ? Flow::kNext : Flow::kFault;
};

struct Header {
  u64 present, compaction;
  std::array<u64, 6> reserved;
};

// Standard form only (SDM 1 13.8.1): XSAVEC is not offered.
bool valid_header(const Cpu& cpu, const Header& header) {
  return (header.present & ~cpu.fpu.xcr0) == 0 && header.compaction == 0 && header.reserved[0] == 0;
}

template <bool kWide>
constexpr auto xrstor = [](Cpu& cpu, const Insn& insn, u64) {
  if (!xsave_enabled(cpu)) return Flow::kFault;
  u64 linear;
  Image image;
  std::array<u8, kHeaderSize> bytes;
  if (!area(cpu, insn, kHeaderAt + kHeaderSize, 64, Access::kRead, linear)) return Flow::kFault;
  if (!load_bytes_at(cpu, linear + kHeaderAt, bytes)) return Flow::kFault;
  if (!load_bytes_at(cpu, linear, image)) return Flow::kFault;
  const Header header = std::bit_cast<Header>(bytes);
  const u64 wanted = requested(cpu);
  const u32 mxcsr = load<u32>(&image[kMxcsrAt]);
  const bool loads_mxcsr = wanted & (xcr0::kSse | xcr0::kAvx);
  if (!valid_header(cpu, header) || (loads_mxcsr && !valid_mxcsr(mxcsr)))
    return cpu.general_protection();
  // What the header does not have gets its initial state; MXCSR is loaded in any case.
  if (wanted & xcr0::kX87) {
    if (header.present & xcr0::kX87) {
      take_x87(cpu, image, kWide);
    } else {
      initialize_x87(cpu.fpu);
      cpu.fpu.st = {};
    }
  }
  if (loads_mxcsr) cpu.fpu.mxcsr = mxcsr;
  if (wanted & xcr0::kSse) take_xmm(cpu, header.present & xcr0::kSse ? image : Image{});
  return Flow::kNext;
};

// --- MXCSR, XCR0
// -----------------------------------------------------------------------------------------
constexpr auto ldmxcsr = [](Cpu& cpu, u32 src) {
  if (!valid_mxcsr(src)) return cpu.general_protection();
  cpu.fpu.mxcsr = src;
  return Flow::kNext;
};
constexpr auto stmxcsr = [](Cpu& cpu, u32& dst) { dst = cpu.fpu.mxcsr; };

constexpr auto xgetbv = [](Cpu& cpu) {
  if (!(cpu.cr4 & cr4::kOsxsave)) return cpu.undefined_opcode();
  const u32 index = static_cast<u32>(cpu.gpr[kRcx]);
  // Index 1: XCR0 and what is in use; everything counts as in use.
  const bool known = index == 0 || (index == 1 && cpu.model.has(Feature::kXgetbv1));
  if (!known) return cpu.general_protection();
  cpu.gpr[kRax] = static_cast<u32>(cpu.fpu.xcr0);
  cpu.gpr[kRdx] = cpu.fpu.xcr0 >> 32;
  return Flow::kNext;
};

constexpr auto xsetbv = [](Cpu& cpu) {
  if (!(cpu.cr4 & cr4::kOsxsave)) return cpu.undefined_opcode();
  const u64 value = static_cast<u32>(cpu.gpr[kRax]) | cpu.gpr[kRdx] << 32;
  const bool consistent = (value & xcr0::kX87) && (!(value & xcr0::kAvx) || (value & xcr0::kSse));
  const bool offered = (value & ~cpu.model.xcr0_bits()) == 0;
  if (cpu.cpl != 0 || static_cast<u32>(cpu.gpr[kRcx]) != 0 || !consistent || !offered)
    return cpu.general_protection();
  cpu.fpu.xcr0 = value;
  return Flow::kNext;
};

constexpr Row kRows[] = {
    row("NP REX.W0 0F AE /0", "fxsave", r(M), kNone, x87, fxsave<false>),
    row("NP REX.W 0F AE /0", "fxsave64", r(M), kNone, x87, fxsave<true>),
    row("NP REX.W0 0F AE /1", "fxrstor", r(M), kNone, x87, fxrstor<false>),
    row("NP REX.W 0F AE /1", "fxrstor64", r(M), kNone, x87, fxrstor<true>),
    row("NP 0F AE /2", "ldmxcsr", r(Md), kNone, sse, ldmxcsr),
    row("NP 0F AE /3", "stmxcsr", w(Md), kNone, sse, stmxcsr),
    row("NP REX.W0 0F AE /4", "xsave", r(M), kNone, kXsave, xsave<false>),
    row("NP REX.W 0F AE /4", "xsave64", r(M), kNone, kXsave, xsave<true>),
    row("NP REX.W0 0F AE /5", "xrstor", r(M), kNone, kXsave, xrstor<false>),
    row("NP REX.W 0F AE /5", "xrstor64", r(M), kNone, kXsave, xrstor<true>),
    // Saving what has not changed is allowed, so this is XSAVE (SDM 1 13.9).
    row("NP REX.W0 0F AE /6", "xsaveopt", r(M), kNone, Feature::kXsaveopt, xsave<false>),
    row("NP REX.W 0F AE /6", "xsaveopt64", r(M), kNone, Feature::kXsaveopt, xsave<true>),
    row("NP 0F 01 D0", "xgetbv", kNone, kXsave, xgetbv),
    row("NP 0F 01 D1", "xsetbv", kNone, kXsave, ends_block, xsetbv),
};

}  // namespace

std::span<const Row> fpu_state_rows() {
  return kRows;
}

}  // namespace kite::tcg
