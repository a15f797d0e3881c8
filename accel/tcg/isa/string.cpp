// String instructions: MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS, with REP.
#include <algorithm>

#include "accel/tcg/isa/io.h"
#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"

namespace kite::tcg {
namespace {

// The registers of a string instruction, cut to the address size.
class String {
 public:
  String(Cpu& cpu, const Insn& insn) : cpu_(cpu), insn_(insn), mask_(insn.address_mask()) {}

  u64 count() const { return cpu_.gpr[kRcx] & mask_; }
  void set_count(u64 value) { put(kRcx, value); }
  // Repetition with 32-bit addresses clears the upper half of RCX even where the count is zero or
  // the first element faults; MOVS and STOS that of their pointers as well. (As Intel's processors
  // do; the manual is silent.)
  void begin_narrow(unsigned pointers) {
    set_count(count());
    if (pointers > 0) put(kRdi, cpu_.gpr[kRdi]);
    if (pointers > 1) put(kRsi, cpu_.gpr[kRsi]);
  }
  bool down() const { return cpu_.system_flags & rflags::kDf; }
  void step(Gpr pointer, u64 bytes) { put(pointer, cpu_.gpr[pointer] + (down() ? -bytes : bytes)); }

  // The source is DS:rSI or as overridden; the destination is always ES:rDI.
  bool source(unsigned size, u64& linear) {
    return address(insn_.segment, cpu_.gpr[kRsi] & mask_, size, Access::kRead, linear);
  }
  bool destination(unsigned size, Access access, u64& linear) {
    return address(cpu_.code64() ? kFlat : u8{kEs}, cpu_.gpr[kRdi] & mask_, size, access, linear);
  }

  // How many elements of `size` lie on the page of `linear`, in ascending direction.
  static u64 on_page(u64 linear, unsigned size) { return (kPageSize - linear % kPageSize) / size; }

  // May the elements be taken page by page? Descending and 16- or 32-bit addresses that could wrap
  // go one by one.
  bool runs_of_pages() const { return !down() && insn_.address_width == 3; }

 private:
  bool address(u8 segment, u64 offset, unsigned size, Access access, u64& linear) {
    if (insn_.address_kind == AddressKind::kSimple) {
      linear = offset + cpu_.segment_base[segment];
      return true;
    }
    return cpu_.linear_address_slow(segment, offset, size, access, linear);
  }
  void put(Gpr number, u64 value) {
    u64& gpr = cpu_.gpr[number];
    gpr = insn_.address_width == 1 ? (gpr & ~mask_) | (value & mask_) : value & mask_;
  }

  Cpu& cpu_;
  const Insn& insn_;
  u64 mask_;
};

// One element each; false: fault, nothing changed.
template <class T>
bool movs_one(Cpu& cpu, String& string) {
  u64 from, to;
  T value;
  if (!string.source(sizeof(T), from) || !cpu.load_at(from, value) ||
      !string.destination(sizeof(T), Access::kWrite, to) || !cpu.store_at(to, value))
    return false;
  string.step(kRsi, sizeof(T));
  string.step(kRdi, sizeof(T));
  return true;
}

template <class T>
bool stos_one(Cpu& cpu, String& string) {
  u64 to;
  if (!string.destination(sizeof(T), Access::kWrite, to) ||
      !cpu.store_at<T>(to, cpu.get<T>(kRax * 8)))
    return false;
  string.step(kRdi, sizeof(T));
  return true;
}

template <class T>
bool lods_one(Cpu& cpu, String& string) {
  u64 from;
  T value;
  if (!string.source(sizeof(T), from) || !cpu.load_at(from, value)) return false;
  cpu.put<T>(kRax * 8, value);
  string.step(kRsi, sizeof(T));
  return true;
}

template <class T>
bool cmps_one(Cpu& cpu, String& string) {
  u64 first, second;
  T a, b;
  if (!string.source(sizeof(T), first) || !cpu.load_at(first, a) ||
      !string.destination(sizeof(T), Access::kRead, second) || !cpu.load_at(second, b))
    return false;
  cpu.flags.sub<T>(a, b, static_cast<T>(a - b));
  string.step(kRsi, sizeof(T));
  string.step(kRdi, sizeof(T));
  return true;
}

template <class T>
bool scas_one(Cpu& cpu, String& string) {
  u64 at;
  T b;
  if (!string.destination(sizeof(T), Access::kRead, at) || !cpu.load_at(at, b)) return false;
  const T a = cpu.get<T>(kRax * 8);
  cpu.flags.sub<T>(a, b, static_cast<T>(a - b));
  string.step(kRdi, sizeof(T));
  return true;
}

template <class T>
bool ins_one(Cpu& cpu, String& string) {
  u64 to;
  const u16 port = cpu.get<u16>(kRdx * 8);
  if (!string.destination(sizeof(T), Access::kWrite, to) || !cpu.probe_write(to, sizeof(T)))
    return false;
  if (!cpu.store_at<T>(to, static_cast<T>(cpu.ports.in(port, sizeof(T))))) return false;
  string.step(kRdi, sizeof(T));
  return true;
}

template <class T>
bool outs_one(Cpu& cpu, String& string) {
  u64 from;
  T value;
  if (!string.source(sizeof(T), from) || !cpu.load_at(from, value)) return false;
  cpu.ports.out(cpu.get<u16>(kRdx * 8), value, sizeof(T));
  string.step(kRsi, sizeof(T));
  return true;
}

// Bytes from `host`, where `linear` is and an element fits, that lie behind each other in the
// host's memory too, up to about `wanted`. `reach` answers where an element at a linear address is,
// or null.
template <class T, class Reach>
u64 stretch(u64 linear, const T* host, u64 wanted, Reach reach) {
  constexpr u64 kMost = 64 * KiB;  // then interrupts are looked for
  const auto* first = reinterpret_cast<const u8*>(host);
  u64 bytes = String::on_page(linear, sizeof(T)) * sizeof(T);
  if ((linear + bytes) % kPageSize) return bytes;  // an element crosses
  while (bytes < wanted && bytes < kMost &&
         reinterpret_cast<const u8*>(reach(linear + bytes)) == first + bytes)
    bytes += kPageSize;
  return bytes;
}

// How many elements at once? Up to where memory is not plain or not in one piece; 0: one by one.
template <class T>
u64 movs_run(Cpu& cpu, String& string) {
  u64 from, to;
  string.source(sizeof(T), from);
  string.destination(sizeof(T), Access::kWrite, to);
  const T* source = cpu.readable<T>(from);
  T* destination = cpu.writable<T>(to);
  if (!source || !destination) return 0;
  const u64 wanted = string.count() * sizeof(T);
  const u64 readable =
      stretch(from, source, wanted, [&](u64 linear) { return cpu.readable<T>(linear); });
  const u64 writable =
      stretch<T>(to, destination, wanted, [&](u64 linear) { return cpu.writable<T>(linear); });
  const u64 n = std::min({string.count(), readable / sizeof(T), writable / sizeof(T)});
  auto* out = reinterpret_cast<u8*>(destination);
  const auto* in = reinterpret_cast<const u8*>(source);
  const auto gap = static_cast<u64>(out - in);
  if (gap >= n * sizeof(T))  // disjoint, or the destination lies below
    guest_move(out, in, n * sizeof(T));
  else  // overlapping upwards: the manual's element by element repeats a pattern
    for (u64 i = 0; i < n; ++i)
      guest_store<T>(out + i * sizeof(T), guest_load<T>(in + i * sizeof(T)));
  string.step(kRsi, n * sizeof(T));
  string.step(kRdi, n * sizeof(T));
  return n;
}

template <class T>
u64 stos_run(Cpu& cpu, String& string) {
  u64 to;
  string.destination(sizeof(T), Access::kWrite, to);
  T* destination = cpu.writable<T>(to);
  if (!destination) return 0;
  const u64 writable = stretch<T>(to, destination, string.count() * sizeof(T),
                                  [&](u64 linear) { return cpu.writable<T>(linear); });
  const u64 n = std::min(string.count(), writable / sizeof(T));
  const T value = cpu.get<T>(kRax * 8);
  auto* out = reinterpret_cast<u8*>(destination);
  if (sizeof(T) == 1 || value == 0)
    guest_fill(out, static_cast<u8>(value), n * sizeof(T));
  else
    guest_fill_with<T>(out, value, n);
  string.step(kRdi, n * sizeof(T));
  return n;
}

template <class T>
u64 no_run(Cpu&, String&) {
  return 0;
}

enum class Until { kCount, kZf };

// Interrupts are taken between iterations, with RIP at the instruction and the registers at the
// next element (SDM 2B "REP").
template <class T, bool (*One)(Cpu&, String&), u64 (*Run)(Cpu&, String&), unsigned Pointers,
          Until Condition>
Flow repeat(Cpu& cpu, const Insn& insn) {
  String string(cpu, insn);
  if (!insn.rep) return One(cpu, string) ? Flow::kNext : Flow::kFault;
  if (insn.address_width == 2) string.begin_narrow(Pointers);
  const Flags before = cpu.flags;
  for (;;) {
    const u64 count = string.count();
    if (count == 0) return Flow::kNext;
    u64 done = string.runs_of_pages() && !cpu.mode.single ? Run(cpu, string) : 0;
    if (done == 0) {
      if (!One(cpu, string)) {
        // A fault in CMPS or SCAS finds the flags as they were (SDM 2B "REP").
        if (Condition == Until::kZf) cpu.flags = before;
        return Flow::kFault;
      }
      done = 1;
    }
    string.set_count(count - done);
    if (Condition == Until::kZf && cpu.flags.zf() != (insn.rep == kRepE)) return Flow::kNext;
    if (count == done) return Flow::kNext;
    // A single step or a data breakpoint is taken between iterations as well (SDM 3B 17.3.1.4); an
    // instruction breakpoint is not: RF stays set until the last one (17.3.1.1).
    if (cpu.mode.single || cpu.attention.load(std::memory_order_relaxed)) [[unlikely]] {
      cpu.rip = cpu.repeat_rip = cpu.this_rip(insn);
      cpu.system_flags |= rflags::kRf;
      return Flow::kLeave;
    }
  }
}

template <template <class> class Operation, Until Condition>
Flow by_width(Cpu& cpu, const Insn& insn) {
  if (!(insn.opcode & 1)) return Operation<u8>::template run<Condition>(cpu, insn);
  switch (insn.width) {
    case 1:
      return Operation<u16>::template run<Condition>(cpu, insn);
    case 2:
      return Operation<u32>::template run<Condition>(cpu, insn);
    default:
      return Operation<u64>::template run<Condition>(cpu, insn);
  }
}

// POINTERS: how many of RDI and RSI are cut to 32-bit addresses even if nothing is repeated.
#define KITE_STRING(NAME, ONE, RUN, POINTERS)                             \
  template <class T>                                                      \
  struct NAME {                                                           \
    template <Until Condition>                                            \
    static Flow run(Cpu& cpu, const Insn& insn) {                         \
      return repeat<T, &ONE<T>, &RUN<T>, POINTERS, Condition>(cpu, insn); \
    }                                                                     \
  }
KITE_STRING(Movs, movs_one, movs_run, 2);
KITE_STRING(Stos, stos_one, stos_run, 1);
KITE_STRING(Lods, lods_one, no_run, 0);
KITE_STRING(Cmps, cmps_one, no_run, 0);
KITE_STRING(Scas, scas_one, no_run, 0);
KITE_STRING(Ins, ins_one, no_run, 0);
KITE_STRING(Outs, outs_one, no_run, 0);

constexpr auto movs = [](Cpu& cpu, const Insn& insn) {
  return by_width<Movs, Until::kCount>(cpu, insn);
};
constexpr auto stos = [](Cpu& cpu, const Insn& insn) {
  return by_width<Stos, Until::kCount>(cpu, insn);
};
constexpr auto lods = [](Cpu& cpu, const Insn& insn) {
  return by_width<Lods, Until::kCount>(cpu, insn);
};
constexpr auto cmps = [](Cpu& cpu, const Insn& insn) {
  return by_width<Cmps, Until::kZf>(cpu, insn);
};
constexpr auto scas = [](Cpu& cpu, const Insn& insn) {
  return by_width<Scas, Until::kZf>(cpu, insn);
};

// Ports are at most 32 bits wide.
template <template <class> class Operation>
Flow port_string(Cpu& cpu, const Insn& insn) {
  const unsigned size = !(insn.opcode & 1) ? 1 : insn.width == 1 ? 2 : 4;
  if (!may_access_port(cpu, cpu.get<u16>(kRdx * 8), size)) return Flow::kFault;
  return size == 1   ? Operation<u8>::template run<Until::kCount>(cpu, insn)
         : size == 2 ? Operation<u16>::template run<Until::kCount>(cpu, insn)
                     : Operation<u32>::template run<Until::kCount>(cpu, insn);
}

constexpr auto ins = [](Cpu& cpu, const Insn& insn) { return port_string<Ins>(cpu, insn); };
constexpr auto outs = [](Cpu& cpu, const Insn& insn) { return port_string<Outs>(cpu, insn); };

constexpr Row kRows[] = {
    row("A4", "movsb", "      ", string, movs), row("A5", "movs", "      ", string, movs),
    row("A6", "cmpsb", "MMMMMM", string, cmps), row("A7", "cmps", "MMMMMM", string, cmps),
    row("AA", "stosb", "      ", string, stos), row("AB", "stos", "      ", string, stos),
    row("AC", "lodsb", "      ", string, lods), row("AD", "lods", "      ", string, lods),
    row("AE", "scasb", "MMMMMM", string, scas), row("AF", "scas", "MMMMMM", string, scas),
    row("6C", "insb", "      ", string, ins),   row("6D", "ins", "      ", string, ins),
    row("6E", "outsb", "      ", string, outs), row("6F", "outs", "      ", string, outs),
};

}  // namespace

std::span<const Row> string_rows() {
  return kRows;
}

}  // namespace kite::tcg
