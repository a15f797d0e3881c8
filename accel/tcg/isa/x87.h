// X87: the register stack, condition codes and exceptions as the x87 instructions use them.
#pragma once

#include "accel/tcg/fpu/float80.h"
#include "accel/tcg/isa/row.h"
#include "accel/tcg/isa/vector_operands.h"

namespace kite::tcg {

// Bits of FSW beside the exception flags (SDM 1 8.1.3).
inline constexpr u16 kStackFault = 1u << 6;
inline constexpr u16 kErrorSummary = 1u << 7;
inline constexpr u16 kC0 = 1u << 8, kC1 = 1u << 9, kC2 = 1u << 10, kC3 = 1u << 14;
inline constexpr u16 kBusy = 1u << 15;

class X87 {
 public:
  explicit X87(Cpu& cpu) : cpu_(cpu), fpu_(cpu.fpu) {}

  // What every waiting instruction does first: #MF for an exception left pending, then the pointers
  // to instruction and operand. False: fault.
  bool begin(const Insn& insn);

  unsigned top() const { return fpu_.fsw >> 11 & 7; }
  void set_top(unsigned top) {
    fpu_.fsw = static_cast<u16>((fpu_.fsw & ~0x3800) | (top & 7) << 11);
  }
  bool empty(unsigned i) const { return !(fpu_.ftw >> physical(i) & 1); }
  fpu::Float80 get(unsigned i) const {
    const u8* reg = fpu_.st[physical(i)].data();
    return {load<u64>(reg), load<u16>(reg + 8)};
  }
  fpu::Number number(unsigned i) const { return fpu::unpack(get(i)); }
  void set(unsigned i, const fpu::Float80& value);  // and tags it
  void free(unsigned i) { fpu_.ftw &= static_cast<u8>(~(1u << physical(i))); }
  void pop() {
    free(0);
    set_top(top() + 1);
  }
  void push(const fpu::Float80& value) {
    set_top(top() - 1);
    set(0, value);
  }

  // FCW's rounding, precision and masks.
  fpu::Control control() const;
  bool masked(u8 flags) const { return (flags & ~fpu_.fcw & 0x3f) == 0; }

  // Records an operation's exceptions and C1. False: the destination stays as it is.
  bool report(const Insn& insn, u8 flags, bool rounded_up);
  // An empty source, or a full stack. True: masked, the caller writes the indefinite.
  bool stack_underflow(const Insn& insn) { return stack_fault(insn, false); }
  bool stack_overflow(const Insn& insn) { return stack_fault(insn, true); }
  // Pushes, unless the stack is full: then the indefinite if that is masked.
  void push_checked(const Insn& insn, const fpu::Float80& value);

  void set_codes(u16 codes, u16 among = kC0 | kC1 | kC2 | kC3) {
    fpu_.fsw = static_cast<u16>((fpu_.fsw & ~among) | codes);
  }
  // ES and B follow from flags and masks.
  void update_summary();

 private:
  unsigned physical(unsigned i) const { return (top() + i) & 7; }
  bool stack_fault(const Insn& insn, bool overflow);
  void note_opcode(const Insn& insn);

  Cpu& cpu_;
  FpuState& fpu_;
};

// FNINIT's state (SDM 2A FINIT).
void initialize_x87(FpuState& fpu);

// --- operands
// -------------------------------------------------------------------------------------- ST(0) and
// ST(i): the meaning sees the number.
struct StackTopKind : VectorFacts<u8, Place::kFixed> {
  static constexpr const char* name = "ST0";
  static constexpr u8 bytes = 10;
  static constexpr u8 fixed_register = 0;
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn&, u8& value, Spot&) {
    value = 0;
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, u8, const Spot&) {
    return true;
  }
};
inline constexpr StackTopKind ST0{};

struct StackRegisterKind : VectorFacts<u8, Place::kModRmRegister> {
  static constexpr const char* name = "STi";
  static constexpr u8 bytes = 10;
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn& insn, u8& value, Spot&) {
    value = insn.rm / 8 & 7;  // REX.B means nothing here
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, u8, const Spot&) {
    return true;
  }
};
inline constexpr StackRegisterKind STi{};

// Memory of 80 bits, read.
using TenBytes = std::array<u8, 10>;
KITE_OPERAND(Mt, XmmRm<TenBytes, Place::kModRmMemory, false>);

// Memory that is read once no exception is pending: #MF comes before the operand's own faults.
template <class Memory>
struct AfterPending : Memory {
  template <unsigned W, Use U>
  static bool fetch(Cpu& cpu, const Insn& insn, typename Memory::template Value<W>& value,
                    Spot& spot) {
    if (cpu.fpu.fsw & kErrorSummary) [[unlikely]]
      return cpu.raise(16), false;
    return Memory::template fetch<W, U>(cpu, insn, value, spot);
  }
};
inline constexpr AfterPending<MwKind> PendingMw{};
inline constexpr AfterPending<MdKind> PendingMd{};
inline constexpr AfterPending<MqKind> PendingMq{};
inline constexpr AfterPending<MtKind> PendingMt{};

// Memory the meaning itself writes: before it may pop, and only if no exception forbids it.
template <unsigned kBytes>
struct StackStore {
  static constexpr Place place = Place::kModRmMemory;
  static constexpr u8 bytes = kBytes;
  static constexpr bool sized = false;
  static constexpr bool vector = true;
  template <unsigned W>
  using Value = u8;
  template <unsigned W, Use U>
  static bool fetch(Cpu&, const Insn&, u8&, Spot&) {
    return true;
  }
  template <unsigned W, Use U>
  static bool commit(Cpu&, const Insn&, u8, const Spot&) {
    return true;
  }
};
KITE_OPERAND(ToMw, StackStore<2>);
KITE_OPERAND(ToMd, StackStore<4>);
KITE_OPERAND(ToMq, StackStore<8>);
KITE_OPERAND(ToMt, StackStore<10>);

}  // namespace kite::tcg
