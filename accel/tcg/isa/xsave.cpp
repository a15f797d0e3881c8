// XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XCR0; protection keys for user pages.
//
// An area is the legacy image, a header and the components behind it, in the standard form (fixed
// places) or the compacted form (one behind the other). A component is in use (XINUSE) when it is
// not in its initial state, which is looked up here, not tracked (SDM 1 13.6).
#include "accel/tcg/isa/fpu_image.h"
#include "accel/tcg/isa/memory_block.h"
#include "accel/tcg/isa/row.h"
#include "accel/tcg/isa/x87.h"
#include "accel/x86/registers.h"
#include "accel/x86/xsave_layout.h"

namespace kite::tcg {
namespace {

constexpr const char* kNone = "      ";
constexpr Feature kXsave = Feature::kXsave;
constexpr u64 kCompacted = bit(63);  // of XCOMP_BV

enum class Form { kStandard, kOptimized, kCompacted };

struct Header {
  u64 present;     // XSTATE_BV
  u64 compaction;  // XCOMP_BV
  std::array<u64, 6> reserved;
};
static_assert(sizeof(Header) == xsave::kHeaderSize);

bool enabled(Cpu& cpu) {
  if (!(cpu.cr4 & cr4::kOsxsave)) return cpu.undefined_opcode(), false;
  if (cpu.cr0 & cr0::kTs) return cpu.device_not_available(), false;
  return true;
}

u64 edx_eax(const Cpu& cpu) {
  return static_cast<u32>(cpu.gpr[kRax]) | cpu.gpr[kRdx] << 32;
}

// --- what is in use
// ------------------------------------------------------------------------------------
bool x87_in_use(const FpuState& f) {
  return f.fcw != 0x37f || f.fsw || f.ftw || f.fop || f.fip || f.fdp || f.fcs || f.fds ||
         f.st != decltype(f.st){};
}

bool vectors_in_use(const FpuState& f, unsigned from) {
  u64 any = 0;
  for (unsigned i = 0; i < 16; ++i)
    any |= load<u64>(&f.zmm[i][from]) | load<u64>(&f.zmm[i][from + 8]);
  return any != 0;
}

// MXCSR does not count (SDM 1 13.6), where nothing else is said.
u64 in_use(const FpuState& f) {
  return (x87_in_use(f) ? xcr0::kX87 : 0) | (vectors_in_use(f, 0) ? xcr0::kSse : 0) |
         (vectors_in_use(f, 16) ? xcr0::kAvx : 0) | (f.pkru ? xcr0::kPkru : 0);
}

u64 mxcsr_in_use(const FpuState& f) {
  return f.mxcsr != mxcsr::kDefault ? xcr0::kSse : 0;
}

// --- the components behind the header
// ------------------------------------------------------------------
using ComponentBytes = std::array<u8, 256>;

// The bytes of a component that the mode reaches.
unsigned bytes_of(const Cpu& cpu, const xsave::Component& c) {
  return c.mask() == xcr0::kAvx ? 16 * vector_registers(cpu) : c.size;
}

void put(const Cpu& cpu, const xsave::Component& c, ComponentBytes& bytes) {
  if (c.mask() == xcr0::kPkru) return store<u64>(bytes.data(), cpu.fpu.pkru);
  for (unsigned i = 0; i < vector_registers(cpu); ++i)
    std::memcpy(&bytes[16 * i], &cpu.fpu.zmm[i][16], 16);
}

void take(Cpu& cpu, const xsave::Component& c, const ComponentBytes& bytes) {
  if (c.mask() == xcr0::kPkru) return cpu.write_pkru(load<u32>(bytes.data()));
  for (unsigned i = 0; i < vector_registers(cpu); ++i)
    std::memcpy(&cpu.fpu.zmm[i][16], &bytes[16 * i], 16);
}

// Calls use(component, offset) for each of `components` in an area, whose compacted form, if it is
// one, holds `compaction`; stops when use says false.
template <class Use>
bool each_component(u64 components, u64 compaction, Use use) {
  unsigned next = xsave::kExtendedAt;
  for (const xsave::Component& c : xsave::kComponents) {
    const unsigned offset = compaction & kCompacted ? next : c.standard_offset;
    if (compaction & c.mask()) next += c.size;
    if ((components & c.mask()) && !use(c, offset)) return false;
  }
  return true;
}

unsigned area_size(u64 components, u64 compaction) {
  unsigned size = xsave::kExtendedAt;
  each_component(components, compaction, [&](const xsave::Component& c, unsigned offset) {
    size = std::max(size, offset + c.size);
    return true;
  });
  return size;
}

// --- saving
// --------------------------------------------------------------------------------------------
bool store_legacy(Cpu& cpu, u64 linear, u64 components, bool with_mxcsr, bool wide) {
  FpuImage image{};
  put_x87(cpu, image, wide);
  put_mxcsr(cpu, image);
  put_xmm(cpu, image);
  if ((components & xcr0::kX87) && !(store_part(cpu, linear, image, 0, kMxcsrAt) &&
                                     store_part(cpu, linear, image, kStackAt, kXmmAt)))
    return false;
  if (with_mxcsr && !store_part(cpu, linear, image, kMxcsrAt, kStackAt)) return false;
  return !(components & xcr0::kSse) ||
         store_part(cpu, linear, image, kXmmAt, kXmmAt + 16 * vector_registers(cpu));
}

// XSAVE stores everything asked for; XSAVEOPT and XSAVEC only what is in use (SDM 1 13.7, 13.9,
// 13.10).
Flow save(Cpu& cpu, const Insn& insn, Form form, bool wide) {
  if (!enabled(cpu)) return Flow::kFault;
  const bool compacted = form == Form::kCompacted;
  const u64 wanted = cpu.fpu.xcr0 & edx_eax(cpu);
  const u64 used = wanted & (in_use(cpu.fpu) | (compacted ? mxcsr_in_use(cpu.fpu) : 0));
  const u64 stored = form == Form::kStandard ? wanted : used;
  const u64 compaction = compacted ? wanted | kCompacted : 0;
  const unsigned size = area_size(stored, compaction);
  u64 linear, present = 0;
  if (!fpu_area(cpu, insn, size, 64, Access::kWrite, linear)) return Flow::kFault;
  const bool with_mxcsr = compacted ? stored & xcr0::kSse : wanted & (xcr0::kSse | xcr0::kAvx);
  // The legacy image is not looked at where nothing of it is stored.
  const unsigned first = (stored & (xcr0::kX87 | xcr0::kSse)) || with_mxcsr ? 0 : xsave::kHeaderAt;
  if (!cpu.probe_write(linear + first, size - first, Cpu::is_stack(insn.segment)))
    return Flow::kFault;
  if (!compacted && !cpu.load_at<u64>(linear + xsave::kHeaderAt, present)) return Flow::kFault;
  if (!store_legacy(cpu, linear, stored, with_mxcsr, wide)) return Flow::kFault;
  const bool done =
      each_component(stored, compaction, [&](const xsave::Component& c, unsigned offset) {
        ComponentBytes bytes{};
        put(cpu, c, bytes);
        return store_bytes_at(cpu, linear + offset, std::span(bytes).first(bytes_of(cpu, c)));
      });
  present = (present & ~wanted) | used;
  if (!done || !cpu.store_at<u64>(linear + xsave::kHeaderAt, present)) return Flow::kFault;
  if (compacted && !cpu.store_at<u64>(linear + xsave::kHeaderAt + 8, compaction))
    return Flow::kFault;
  return Flow::kNext;
}

template <Form kForm, bool kWide>
constexpr auto save_area =
    [](Cpu& cpu, const Insn& insn, u64) { return save(cpu, insn, kForm, kWide); };

// --- restoring
// -----------------------------------------------------------------------------------------
bool valid_header(const Cpu& cpu, const Header& header) {
  if (!(header.compaction & kCompacted))  // SDM 1 13.8.1
    return !(header.present & ~cpu.fpu.xcr0) && !header.compaction && !header.reserved[0];
  const u64 places = header.compaction & ~kCompacted;  // SDM 1 13.8.2
  return cpu.model.has(Feature::kXsavec) && !(places & ~cpu.fpu.xcr0) &&
         !(header.present & ~places) && header.reserved == decltype(header.reserved){};
}

// MXCSR in the standard form comes with either vector component and from memory in any case, in the
// compacted form it belongs to SSE.
void restore_legacy(Cpu& cpu, const FpuImage& image, u64 wanted, const Header& header, bool wide) {
  const u64 loaded = wanted & header.present;
  if (loaded & xcr0::kX87) {
    take_x87(cpu, image, wide);
  } else if (wanted & xcr0::kX87) {
    initialize_x87(cpu.fpu);
    cpu.fpu.st = {};
  }
  if (loaded & xcr0::kSse)
    take_xmm(cpu, image);
  else if (wanted & xcr0::kSse)
    take_xmm(cpu, FpuImage{});
}

Flow restore(Cpu& cpu, const Insn& insn, bool wide) {
  if (!enabled(cpu)) return Flow::kFault;
  const u64 wanted = cpu.fpu.xcr0 & edx_eax(cpu);
  u64 linear;
  FpuImage image;
  std::array<u8, sizeof(Header)> raw;
  if (!fpu_area(cpu, insn, xsave::kExtendedAt, 64, Access::kRead, linear)) return Flow::kFault;
  if (!load_bytes_at(cpu, linear + xsave::kHeaderAt, raw)) return Flow::kFault;
  const Header header = std::bit_cast<Header>(raw);
  if (!valid_header(cpu, header)) return cpu.general_protection();
  if (!load_bytes_at(cpu, linear, image)) return Flow::kFault;
  const bool compacted = header.compaction & kCompacted;
  const bool owns_mxcsr = wanted & (compacted ? xcr0::kSse : xcr0::kSse | xcr0::kAvx);
  u32 control = load<u32>(&image[kMxcsrAt]);
  if (compacted && !(header.present & xcr0::kSse)) control = mxcsr::kDefault;
  if (owns_mxcsr && !valid_mxcsr(control)) return cpu.general_protection();
  std::array<ComponentBytes, xsave::kComponents.size()> extended{};
  auto* next = extended.data();
  const bool read =
      each_component(wanted, header.compaction, [&](const xsave::Component& c, unsigned offset) {
        ComponentBytes& bytes = *next++;
        if (!(header.present & c.mask())) return true;  // zeros are the initial state
        return load_bytes_at(cpu, linear + offset, std::span(bytes).first(bytes_of(cpu, c)));
      });
  if (!read) return Flow::kFault;
  restore_legacy(cpu, image, wanted, header, wide);
  if (owns_mxcsr) cpu.fpu.mxcsr = control;
  next = extended.data();
  each_component(wanted, header.compaction, [&](const xsave::Component& c, unsigned) {
    take(cpu, c, *next++);
    return true;
  });
  return Flow::kNext;
}

template <bool kWide>
constexpr auto xrstor = [](Cpu& cpu, const Insn& insn, u64) { return restore(cpu, insn, kWide); };

// --- XCR0
// ----------------------------------------------------------------------------------------------
constexpr auto xgetbv = [](Cpu& cpu) {
  if (!(cpu.cr4 & cr4::kOsxsave)) return cpu.undefined_opcode();
  const u32 index = static_cast<u32>(cpu.gpr[kRcx]);
  u64 value = cpu.fpu.xcr0;
  if (index == 1 && cpu.model.has(Feature::kXgetbv1))
    value &= in_use(cpu.fpu) | mxcsr_in_use(cpu.fpu);
  else if (index != 0)
    return cpu.general_protection();
  cpu.gpr[kRax] = static_cast<u32>(value);
  cpu.gpr[kRdx] = value >> 32;
  return Flow::kNext;
};

constexpr auto xsetbv = [](Cpu& cpu, const Insn& insn) {
  if (!(cpu.cr4 & cr4::kOsxsave)) return cpu.undefined_opcode();
  const u64 value = edx_eax(cpu);
  const bool consistent = (value & xcr0::kX87) && (!(value & xcr0::kAvx) || (value & xcr0::kSse));
  const bool offered = (value & ~cpu.model.xcr0_bits()) == 0;
  if (cpu.cpl != 0 || static_cast<u32>(cpu.gpr[kRcx]) != 0 || !consistent || !offered)
    return cpu.general_protection();
  cpu.fpu.xcr0 = value;
  cpu.update_mode();
  return cpu.leave(insn);
};

// --- protection keys (SDM 3A 4.6.2)
// --------------------------------------------------------------------
constexpr auto rdpkru = [](Cpu& cpu) {
  if (!(cpu.cr4 & cr4::kPke)) return cpu.undefined_opcode();
  if (static_cast<u32>(cpu.gpr[kRcx])) return cpu.general_protection();
  cpu.gpr[kRax] = cpu.fpu.pkru;
  cpu.gpr[kRdx] = 0;
  return Flow::kNext;
};

constexpr auto wrpkru = [](Cpu& cpu) {
  if (!(cpu.cr4 & cr4::kPke)) return cpu.undefined_opcode();
  if (static_cast<u32>(cpu.gpr[kRcx]) || static_cast<u32>(cpu.gpr[kRdx]))
    return cpu.general_protection();
  cpu.write_pkru(static_cast<u32>(cpu.gpr[kRax]));
  return Flow::kNext;
};

constexpr Row kRows[] = {
    row("NP REX.W0 0F AE /4", "xsave", r(M), kNone, kXsave, save_area<Form::kStandard, false>),
    row("NP REX.W 0F AE /4", "xsave64", r(M), kNone, kXsave, save_area<Form::kStandard, true>),
    row("NP REX.W0 0F AE /5", "xrstor", r(M), kNone, kXsave, xrstor<false>),
    row("NP REX.W 0F AE /5", "xrstor64", r(M), kNone, kXsave, xrstor<true>),
    row("NP REX.W0 0F AE /6", "xsaveopt", r(M), kNone, Feature::kXsaveopt,
        save_area<Form::kOptimized, false>),
    row("NP REX.W 0F AE /6", "xsaveopt64", r(M), kNone, Feature::kXsaveopt,
        save_area<Form::kOptimized, true>),
    row("NP REX.W0 0F C7 /4", "xsavec", r(M), kNone, Feature::kXsavec,
        save_area<Form::kCompacted, false>),
    row("NP REX.W 0F C7 /4", "xsavec64", r(M), kNone, Feature::kXsavec,
        save_area<Form::kCompacted, true>),
    row("NP 0F 01 D0", "xgetbv", kNone, kXsave, xgetbv),
    row("NP 0F 01 D1", "xsetbv", kNone, kXsave, ends_block, xsetbv),
    row("NP 0F 01 EE", "rdpkru", kNone, Feature::kPku, rdpkru),
    row("NP 0F 01 EF", "wrpkru", kNone, Feature::kPku, wrpkru),
};

}  // namespace

std::span<const Row> xsave_rows() {
  return kRows;
}

}  // namespace kite::tcg
