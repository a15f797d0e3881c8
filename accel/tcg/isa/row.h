// Row: one instruction, described once. README.md of this folder tells how to write one.
#pragma once

#include <concepts>
#include <span>
#include <type_traits>

#include "accel/tcg/isa/encoding.h"
#include "accel/tcg/isa/operands.h"
#include "accel/x86/feature.h"

namespace kite::tcg {

// What a row may say about itself besides bytes, operands and flags.
struct Attributes {
  u32 bits = 0;
  constexpr Attributes operator|(Attributes other) const { return {bits | other.bits}; }
  constexpr bool has(Attributes other) const { return (bits & other.bits) == other.bits; }
};
inline constexpr Attributes cpl0{1u << 0};    // #GP(0) unless CPL is 0
inline constexpr Attributes not64{1u << 1};   // #UD in 64-bit mode
inline constexpr Attributes only64{1u << 2};  // exists in 64-bit mode only
inline constexpr Attributes default64{1u
                                      << 3};  // operand size is 64 in 64-bit mode; 66h makes it 16
inline constexpr Attributes force64{
    1u << 4};  // operand size is 64 in 64-bit mode, always (near branches)
inline constexpr Attributes ends_block{
    1u << 5};  // may change what the following instructions are decoded with
inline constexpr Attributes x87{1u << 6};  // #NM if CR0.EM or CR0.TS
inline constexpr Attributes mmx{1u << 7};  // #UD if CR0.EM, #NM if CR0.TS
inline constexpr Attributes sse{1u << 8};  // #UD if CR0.EM or not CR4.OSFXSR, #NM if CR0.TS
inline constexpr Attributes protected_only{1u << 9};  // #UD in real and virtual-8086 mode
inline constexpr Attributes string{1u << 10};     // takes REP; its REP handler runs many iterations
inline constexpr Attributes no_rep{1u << 11};     // F2h and F3h raise #UD
inline constexpr Attributes undefined{1u << 12};  // decodes, raises #UD by definition
inline constexpr Attributes mxcsr{1u << 13};      // SIMD floating point: may raise #XM
inline constexpr Attributes wait{1u << 14};       // #NM if CR0.MP and CR0.TS
inline constexpr Attributes always_locked{1u << 15};  // XCHG: LOCK or not
inline constexpr Attributes register_form{1u << 16};  // ModRM.mod is ignored: rm is a register
inline constexpr Attributes wide_avx2{1u << 17};      // the 256-bit form is AVX2's: #UD without it
inline constexpr Attributes vsib{1u << 18};  // memory is named by VSIB: #UD without a SIB byte
// A Feature among the arguments: #UD unless the CPU model has it. At most two.

struct Lockable {};  // LOCK is legal when the first operand is memory
inline constexpr Lockable lockable{};
// A VEX-coded vector instruction: #UD unless CR4.OSXSAVE and XCR0 enable AVX, #NM if CR0.TS;
// stamped for both lengths where an operand is as long as VEX.L says.
struct Avx {};
inline constexpr Avx avx{};
struct Hot {};  // handlers stamped per operand shape: for what programs execute most
inline constexpr Hot hot{};

// A row without a meaning: decodes, logs once, raises #UD.
struct Unimplemented {};
inline constexpr Unimplemented unimplemented{};
Flow execute_unimplemented(Cpu& cpu, const Insn& insn);

enum class Shape : u8 { kAny, kRegister, kMemory, kLocked };

struct Row {
  const char* text = nullptr;  // the encoding as written
  Encoding encoding;
  const char* name = nullptr;
  std::array<OperandSpec, 4> operands = {};
  u8 operand_count = 0;
  u16 places = 0;                // of the operands: bits by Place
  bool sized = false;            // has an operand of the instruction's operand size
  const char* flags = "      ";  // OSZAPC: M modified, T tested, B both, 0, 1, - undefined, blank
  Attributes attributes;
  std::array<Feature, 2> features = {};
  u8 feature_count = 0;
  bool is_lockable = false;
  bool is_avx = false;
  bool by_length = false;  // stamped for 128 and 256 bits; `handlers` is then by VEX.L
  bool is_implemented = true;
  std::array<std::array<Handler, 4>, 4> handlers = {};  // [Insn::width][Shape]

  bool has(Place place) const { return places >> static_cast<unsigned>(place) & 1; }
  // `width` as in Insn::width; for the rows that are by_length, VEX.L.
  Handler handler(unsigned width, Shape shape) const {
    const auto& row = handlers[sized || by_length ? width : 0];
    const Handler exact = row[static_cast<unsigned>(shape)];
    return exact ? exact : row[0];
  }
};

// An operand and what the instruction does with it.
template <class Kind, Use U>
struct Operand {
  using K = Kind;
  static constexpr Use use = U;
};
template <class Kind>
consteval Operand<Kind, Use::kRead> r(Kind) {
  return {};
}
template <class Kind>
consteval Operand<Kind, Use::kWrite> w(Kind) {
  return {};
}
template <class Kind>
consteval Operand<Kind, Use::kReadWrite> rw(Kind) {
  return {};
}

namespace detail {

template <class T>
inline constexpr bool is_operand = false;
template <class K, Use U>
inline constexpr bool is_operand<Operand<K, U>> = true;

template <class... Ops>
struct OperandList {
  static constexpr bool sized = (Ops::K::sized || ...);
};
template <class List, class... Args>
struct Filter {
  using Type = List;
};
template <class... Ops, class First, class... Rest>
struct Filter<OperandList<Ops...>, First, Rest...> {
  using Type =
      typename std::conditional_t<is_operand<First>, Filter<OperandList<Ops..., First>, Rest...>,
                                  Filter<OperandList<Ops...>, Rest...>>::Type;
};

template <class Op, unsigned W>
struct Slot {
  using Kind = typename Op::K;
  typename Op::K::template Value<W> value{};
  Spot spot;
  [[gnu::always_inline]] bool fetch(Cpu& cpu, const Insn& insn) {
    return Op::K::template fetch<W, Op::use>(cpu, insn, value, spot);
  }
  [[gnu::always_inline]] bool commit(Cpu& cpu, const Insn& insn) {
    if constexpr (Op::use == Use::kRead) return true;
    return Op::K::template commit<W, Op::use>(cpu, insn, value, spot);
  }
};

template <class Meaning, class... Values>
inline Flow call(Cpu& cpu, const Insn& insn, Values&... values) {
  constexpr Meaning meaning{};
  if constexpr (std::is_invocable_v<Meaning, Cpu&, const Insn&, Values&...>) {
    if constexpr (std::is_void_v<std::invoke_result_t<Meaning, Cpu&, const Insn&, Values&...>>)
      return meaning(cpu, insn, values...), Flow::kNext;
    else
      return meaning(cpu, insn, values...);
  } else {
    if constexpr (std::is_void_v<std::invoke_result_t<Meaning, Cpu&, Values&...>>)
      return meaning(cpu, values...), Flow::kNext;
    else
      return meaning(cpu, values...);
  }
}

inline bool commit_all(Cpu&, const Insn&) {
  return true;
}
template <class First, class... Rest>
inline bool commit_all(Cpu& cpu, const Insn& insn, First& first, Rest&... rest) {
  return commit_all(cpu, insn, rest...) && first.commit(cpu, insn);
}

// Fetch, compute, write back. The first operand is written last, so that it wins where two operands
// are one register (XADD EAX, EAX). A memory operand that is read and written has been probed by
// its fetch and does not fault any more; one that is only written is the only one written.
template <class Meaning, unsigned W, class... Slots>
inline Flow run(Cpu& cpu, const Insn& insn, Slots&... slots) {
  if (!(slots.fetch(cpu, insn) && ...)) [[unlikely]]
    return Flow::kFault;
  const Flow flow = call<Meaning>(cpu, insn, slots.value...);
  if (flow == Flow::kFault) [[unlikely]]
    return flow;
  if (!commit_all(cpu, insn, slots...)) [[unlikely]]
    return Flow::kFault;
  return flow;
}

// The load and store of a locked access that the host cannot exchange in one go.
template <class Meaning, unsigned W, class... Slots>
Flow run_alone(Cpu& cpu, const Insn& insn, Cpu::LockedPlace::Way way, Slots&... slots) {
  if (way == Cpu::LockedPlace::Way::kDevice) return run<Meaning, W>(cpu, insn, slots...);
  const ExclusiveSection alone(cpu.processors.exclusive);
  return run<Meaning, W>(cpu, insn, slots...);
}

// LOCK: repeats the meaning until memory was the same before and after it. Registers are written
// once it has succeeded.
template <class Meaning, unsigned W, class First, class... Rest>
inline Flow run_locked(Cpu& cpu, const Insn& insn, First& first, Rest&... rest) {
  using T = decltype(first.value);
  u64 linear;
  Cpu::LockedPlace place;
  if (!First::Kind::template locate<W, Use::kReadWrite>(cpu, insn, linear) ||
      !cpu.locate_locked<T>(linear, place, Cpu::is_stack(insn.segment)))
    return Flow::kFault;
  if (place.way != Cpu::LockedPlace::Way::kExchange) [[unlikely]]
    return run_alone<Meaning, W>(cpu, insn, place.way, first, rest...);
  const Flags before = cpu.flags;
  for (T expected = guest_load<T>(place.host);;) {
    first.value = expected;
    (rest.fetch(cpu, insn), ...);
    const Flow flow = call<Meaning>(cpu, insn, first.value, rest.value...);
    if (flow == Flow::kFault) return flow;
    if (guest_compare_exchange<T>(place.host, expected, first.value)) {
      commit_all(cpu, insn, rest...);
      if (place.noted) [[unlikely]]
        cpu.locked_stored(place, linear, sizeof(T));
      return flow;
    }
    cpu.flags = before;
  }
}

// False for the operands that a meaning reaches itself (CMPXCHG16B): it then looks to LOCK itself.
template <class... Ops>
inline constexpr bool first_can_be_located = false;
template <class First, class... Rest>
inline constexpr bool first_can_be_located<First, Rest...> = requires(Cpu& cpu, const Insn& insn,
                                                                      u64& linear) {
  First::K::template locate<First::K::sized ? 1 : 0, Use::kReadWrite>(cpu, insn, linear);
};

template <class Meaning, unsigned W, Shape S, class... Ops>
Flow execute(Cpu& cpu, const Insn& insn) {
  // The shape is known here where a handler was stamped for it: tell the optimizer.
  if constexpr (S == Shape::kRegister) {
    if (insn.is_memory) __builtin_unreachable();
  } else if constexpr (S == Shape::kMemory || S == Shape::kLocked) {
    if (!insn.is_memory) __builtin_unreachable();
  }
  return [&](auto... slots) {
    if constexpr (S == Shape::kLocked && first_can_be_located<Ops...>)
      return run_locked<Meaning, W>(cpu, insn, slots...);
    else
      return run<Meaning, W>(cpu, insn, slots...);
  }(Slot<Ops, W>{}...);
}

template <class Meaning, bool IsHot, bool IsLockable, unsigned W, class... Ops>
consteval void stamp_width(Row& row, OperandList<Ops...>) {
  auto& handlers = row.handlers[is_vex(W) ? W - kVex128 : W];
  if constexpr (IsHot) {
    handlers[1] = &execute<Meaning, W, Shape::kRegister, Ops...>;
    handlers[2] = &execute<Meaning, W, Shape::kMemory, Ops...>;
  } else {
    handlers[0] = &execute<Meaning, W, Shape::kAny, Ops...>;
  }
  if constexpr (IsLockable) handlers[3] = &execute<Meaning, W, Shape::kLocked, Ops...>;
}

template <class Kind>
inline constexpr bool by_length = requires {
  requires Kind::by_length;
};

template <class Meaning, bool IsAvx, bool IsHot, bool IsLockable, class... Ops>
consteval void stamp(Row& row, OperandList<Ops...> list) {
  constexpr bool kByLength = (by_length<typename Ops::K> || ...);
  static_assert(IsAvx || !kByLength, "Vx and kin belong to `avx` rows; SSE has Vdq, Wdq, Udq, Mdq");
  if constexpr (IsAvx) {
    row.is_avx = true;
    row.by_length = kByLength;
    static_assert(!(Ops::K::sized || ...), "an `avx` row says Ed or Eq, by VEX.W, not Ey");
    stamp_width<Meaning, IsHot, IsLockable, kVex128>(row, list);
    if constexpr (kByLength) stamp_width<Meaning, IsHot, IsLockable, kVex256>(row, list);
  } else if constexpr ((Ops::K::sized || ...)) {
    row.sized = true;
    stamp_width<Meaning, IsHot, IsLockable, 1>(row, list);
    stamp_width<Meaning, IsHot, IsLockable, 2>(row, list);
    stamp_width<Meaning, IsHot, IsLockable, 3>(row, list);
  } else {
    stamp_width<Meaning, IsHot, IsLockable, 0>(row, list);
  }
}

template <class Kind, Use U>
consteval void apply(Row& row, Operand<Kind, U>) {
  u8 fixed = 0;
  if constexpr (Kind::place == Place::kFixed) fixed = Kind::fixed_register;
  row.operands[row.operand_count++] = {Kind::name,  Kind::place,  U,
                                       Kind::bytes, Kind::vector, fixed};
  row.places |= static_cast<u16>(1u << static_cast<unsigned>(Kind::place));
}
consteval void apply(Row& row, const char* flags) {
  for (int i = 0; i < 6; ++i)
    if (flags[i] == 0) bad_encoding("six letters OSZAPC were expected");
  if (flags[6] != 0) bad_encoding("six letters OSZAPC were expected");
  row.flags = flags;
}
consteval void apply(Row& row, Attributes attributes) {
  row.attributes = row.attributes | attributes;
}
consteval void apply(Row& row, Feature feature) {
  row.features[row.feature_count++] = feature;
}
consteval void apply(Row& row, Lockable) {
  row.is_lockable = true;
}
consteval void apply(Row&, Hot) {}
consteval void apply(Row& row, Avx) {
  row.features[row.feature_count++] = Feature::kAvx;
}
consteval void apply(Row& row, Unimplemented) {
  row.is_implemented = false;
}
template <class Meaning>
requires(!is_operand<Meaning> && !std::convertible_to<Meaning, const char*> &&
         !std::same_as<Meaning, Attributes> && !std::same_as<Meaning, Feature> &&
         !std::same_as<Meaning, Lockable> && !std::same_as<Meaning, Hot> &&
         !std::same_as<Meaning, Avx> &&
         !std::same_as<Meaning, Unimplemented>) consteval void apply(Row&, Meaning) {}

template <class First, class... Rest>
struct Last {
  using Type = typename Last<Rest...>::Type;
};
template <class Only>
struct Last<Only> {
  using Type = Only;
};

}  // namespace detail

// row(encoding, name, operands…, flags, attributes…, meaning): see the README.
template <class... Args>
consteval Row row(const char* encoding, const char* name, Args... args) {
  using Operands = typename detail::Filter<detail::OperandList<>, Args...>::Type;
  using Meaning = typename detail::Last<Args...>::Type;
  Row row;
  row.text = encoding;
  row.encoding = parse_encoding(encoding);
  row.name = name;
  (detail::apply(row, args), ...);
  if constexpr (std::same_as<Meaning, Unimplemented>) {
    row.handlers[0][0] = &execute_unimplemented;
  } else {
    constexpr bool is_hot = (std::same_as<Args, Hot> || ...);
    constexpr bool is_lockable = (std::same_as<Args, Lockable> || ...);
    constexpr bool is_avx = (std::same_as<Args, Avx> || ...);
    detail::stamp<Meaning, is_avx, is_hot, is_lockable>(row, Operands{});
  }
  return row;
}

// Every row of every family; a row's number is its index.
std::span<const Row> rows();

}  // namespace kite::tcg
