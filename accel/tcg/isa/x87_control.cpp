// x87 control: control and status words, environment and whole state.
#include "accel/tcg/isa/memory_block.h"
#include "accel/tcg/isa/x87.h"

namespace kite::tcg {
namespace {

constexpr const char* kNone = "      ";

constexpr auto fninit = [](Cpu& cpu) { initialize_x87(cpu.fpu); };
constexpr auto fnclex = [](Cpu& cpu) { cpu.fpu.fsw &= 0x7f00; };
constexpr auto fnstcw = [](Cpu& cpu, u16& dst) { dst = cpu.fpu.fcw; };
constexpr auto fnstsw = [](Cpu& cpu, u16& dst) { dst = cpu.fpu.fsw; };

bool pending(Cpu& cpu) {
  return (cpu.fpu.fsw & kErrorSummary) && (cpu.raise(16), true);
}

void load_control_word(Cpu& cpu, u16 value) {
  cpu.fpu.fcw = static_cast<u16>((value & 0x1f3f) | 0x40);  // bit 6 reads as one
  X87(cpu).update_summary();
}

constexpr auto fldcw = [](Cpu& cpu, u16 src) {
  if (pending(cpu)) return Flow::kFault;
  load_control_word(cpu, src);
  return Flow::kNext;
};
constexpr auto fwait = [](Cpu& cpu) { return pending(cpu) ? Flow::kFault : Flow::kNext; };

// --- the environment: 14 or 28 bytes, with pointers as protected or real mode has them (SDM 1
// figures 8-9 … 8-12)
// -------------------------------------------------------------------------------
u16 full_tags(const Cpu& cpu) {
  u16 tags = 0;
  for (unsigned n = 0; n < 8; ++n) {
    u16 tag = 3;
    if (cpu.fpu.ftw >> n & 1) {
      const u8* reg = cpu.fpu.st[n].data();
      const fpu::Class c = fpu::classify({load<u64>(reg), load<u16>(reg + 8)});
      tag = c == fpu::Class::kNormal ? 0 : c == fpu::Class::kZero ? 1 : 2;
    }
    tags |= static_cast<u16>(tag << (2 * n));
  }
  return tags;
}
u8 abridged_tags(u16 tags) {
  u8 result = 0;
  for (unsigned n = 0; n < 8; ++n)
    if ((tags >> (2 * n) & 3) != 3) result |= static_cast<u8>(1u << n);
  return result;
}

// Seven fields; T is their size, u16 or u32. A field's unused upper half is ones.
template <class T>
struct Environment {
  std::array<T, 7> fields;
};

bool real_pointers(const Cpu& cpu) {
  return !cpu.mode.protected_mode || cpu.mode.v86;
}

template <class T>
T upper_ones(u16 value) {
  return static_cast<T>(0xffff0000u | value);
}

template <class T>
Environment<T> save_environment(const Cpu& cpu) {
  const FpuState& f = cpu.fpu;
  Environment<T> e{{upper_ones<T>(f.fcw), upper_ones<T>(f.fsw), upper_ones<T>(full_tags(cpu))}};
  if (!real_pointers(cpu)) {
    e.fields[3] = static_cast<T>(f.fip);
    e.fields[4] = static_cast<T>(f.fcs | u32{f.fop} << 16);
    e.fields[5] = static_cast<T>(f.fdp);
    e.fields[6] = upper_ones<T>(f.fds);
    return e;
  }
  const u32 ip = static_cast<u32>(f.fip + u32{f.fcs} * 16),
            dp = static_cast<u32>(f.fdp + u32{f.fds} * 16);
  e.fields[3] = upper_ones<T>(static_cast<u16>(ip));
  e.fields[4] = static_cast<T>((ip >> 16) << 12 | (f.fop & 0x7ff));
  e.fields[5] = upper_ones<T>(static_cast<u16>(dp));
  e.fields[6] = static_cast<T>((dp >> 16) << 12);
  return e;
}

template <class T>
void load_environment(Cpu& cpu, const Environment<T>& e) {
  FpuState& f = cpu.fpu;
  f.fsw = static_cast<u16>(e.fields[1]);
  f.ftw = abridged_tags(static_cast<u16>(e.fields[2]));
  if (!real_pointers(cpu)) {
    f.fip = e.fields[3];
    f.fcs = static_cast<u16>(e.fields[4]);
    f.fop = static_cast<u16>(static_cast<u32>(e.fields[4]) >> 16 & 0x7ff);
    f.fdp = e.fields[5];
    f.fds = static_cast<u16>(e.fields[6]);
  } else {
    f.fip = static_cast<u16>(e.fields[3]) | static_cast<u32>(e.fields[4]) >> 12 << 16;
    f.fdp = static_cast<u16>(e.fields[5]) | static_cast<u32>(e.fields[6]) >> 12 << 16;
    f.fop = static_cast<u16>(e.fields[4] & 0x7ff);
    f.fcs = f.fds = 0;
  }
  load_control_word(cpu, static_cast<u16>(e.fields[0]));
}

template <class T>
constexpr std::size_t kEnvironmentSize = sizeof(Environment<T>);

// The operand of the operand-sized forms: the meaning sees a u16 or u32 that only tells the layout,
// and reaches memory itself.
struct LayoutKind {
  static constexpr const char* name = "M";
  static constexpr Place place = Place::kModRmMemory;
  static constexpr u8 bytes = 0;
  static constexpr bool sized = true;
  static constexpr bool vector = true;
  template <unsigned W>
  using Value = typename Sized<W>::Z;
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn&, Value<W>&, Spot&) {
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, Value<W>, const Spot&) {
    return true;
  }
};
constexpr LayoutKind Layout{};

constexpr auto fnstenv = []<class T>(Cpu& cpu, const Insn& insn, T&) {
  const Environment<T> environment = save_environment<T>(cpu);
  if (!store_block(cpu, insn, environment)) return Flow::kFault;
  load_control_word(cpu, cpu.fpu.fcw | 0x3f);
  return Flow::kNext;
};
constexpr auto fldenv = []<class T>(Cpu& cpu, const Insn& insn, T) {
  Environment<T> environment;
  if (pending(cpu) || !load_block(cpu, insn, environment)) return Flow::kFault;
  load_environment(cpu, environment);
  return Flow::kNext;
};

// FNSAVE, FRSTOR: the environment, then ST(0) … ST(7) of ten bytes each.
template <class T>
using SaveImage = std::array<u8, kEnvironmentSize<T> + 80>;

constexpr auto fnsave = []<class T>(Cpu& cpu, const Insn& insn, T&) {
  SaveImage<T> image;
  store<Environment<T>>(image.data(), save_environment<T>(cpu));
  X87 x87(cpu);
  for (unsigned i = 0; i < 8; ++i) {
    const fpu::Float80 value = x87.get(i);
    store<u64>(image.data() + kEnvironmentSize<T> + 10 * i, value.significand);
    store<u16>(image.data() + kEnvironmentSize<T> + 10 * i + 8, value.sign_exponent);
  }
  if (!store_block(cpu, insn, image)) return Flow::kFault;
  initialize_x87(cpu.fpu);
  return Flow::kNext;
};
constexpr auto frstor = []<class T>(Cpu& cpu, const Insn& insn, T) {
  SaveImage<T> image;
  if (pending(cpu) || !load_block(cpu, insn, image)) return Flow::kFault;
  load_environment(cpu, load<Environment<T>>(image.data()));
  X87 x87(cpu);
  const u8 tags = cpu.fpu.ftw;
  for (unsigned i = 0; i < 8; ++i) {
    const u8* from = image.data() + kEnvironmentSize<T> + 10 * i;
    x87.set(i, {load<u64>(from), load<u16>(from + 8)});
  }
  cpu.fpu.ftw = tags;
  return Flow::kNext;
};

constexpr Row kRows[] = {
    row("9B", "wait", kNone, wait, fwait),
    row("DB E3", "fninit", kNone, x87, fninit),
    row("DB E2", "fnclex", kNone, x87, fnclex),
    row("D9 /5", "fldcw", r(PendingMw), kNone, x87, fldcw),
    row("D9 /7", "fnstcw", w(Mw), kNone, x87, fnstcw),
    row("DD /7", "fnstsw", w(Mw), kNone, x87, fnstsw),
    row("DF E0", "fnstsw", w(AX), kNone, x87, fnstsw),
    row("D9 /4", "fldenv", r(Layout), kNone, x87, fldenv),
    row("D9 /6", "fnstenv", w(Layout), kNone, x87, fnstenv),
    row("DD /4", "frstor", r(Layout), kNone, x87, frstor),
    row("DD /6", "fnsave", w(Layout), kNone, x87, fnsave),
};

}  // namespace

std::span<const Row> x87_control_rows() {
  return kRows;
}

}  // namespace kite::tcg
