// SSE4.2 string comparison, also VEX-coded: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM.
#include "accel/tcg/fpu/string_compare.h"
#include "accel/tcg/isa/simd.h"

namespace kite::tcg {
namespace {

constexpr Feature kSse42 = Feature::kSse42;

StringCompare with_implicit_lengths(Cpu&, const Insn&, const Vec128& a, const Vec128& b, u8 c) {
  return compare_strings(a, implicit_length(a, c), b, implicit_length(b, c), c);
}

// The lengths are EAX and EDX, or RAX and RDX with REX.W.
StringCompare with_explicit_lengths(Cpu& cpu, const Insn& insn, const Vec128& a, const Vec128& b,
                                    u8 c) {
  const bool wide = insn.width == 3;
  const auto length = [&](Gpr reg) {
    const u64 value = cpu.gpr[reg];
    const i64 number = wide ? static_cast<i64>(value) : i64{static_cast<i32>(value)};
    return explicit_length(number, c);
  };
  return compare_strings(a, length(kRax), b, length(kRdx), c);
}

void set_flags(Cpu& cpu, const StringCompare& result) {
  cpu.flags.set((result.carry ? kCf : 0) | (result.zero ? kZf : 0) | (result.sign ? kSf : 0) |
                (result.overflow ? kOf : 0));
}

template <auto kCompare>
constexpr auto to_index = [](Cpu& cpu, const Insn& insn, const Vec128& a, const Vec128& b, u8 c) {
  const StringCompare result = kCompare(cpu, insn, a, b, c);
  cpu.put<u32>(kRcx * 8, result.index(c));
  set_flags(cpu, result);
};
template <auto kCompare, unsigned W = 0>  // kVex128: the VEX-coded form
constexpr auto to_mask = [](Cpu& cpu, const Insn& insn, const Vec128& a, const Vec128& b, u8 c) {
  const StringCompare result = kCompare(cpu, insn, a, b, c);
  write_vector<W>(cpu, 0, result.mask(c));
  set_flags(cpu, result);
};

// The memory operand need not be aligned (SDM 2B 4.1).
constexpr Row kRows[] = {
    row("66 0F 3A 60 /r ib", "pcmpestrm", r(Vdq), r(Wu), r(Ib), "MMM00M", sse, kSse42,
        to_mask<with_explicit_lengths>),
    row("66 0F 3A 61 /r ib", "pcmpestri", r(Vdq), r(Wu), r(Ib), "MMM00M", sse, kSse42,
        to_index<with_explicit_lengths>),
    row("66 0F 3A 62 /r ib", "pcmpistrm", r(Vdq), r(Wu), r(Ib), "MMM00M", sse, kSse42,
        to_mask<with_implicit_lengths>),
    row("66 0F 3A 63 /r ib", "pcmpistri", r(Vdq), r(Wu), r(Ib), "MMM00M", sse, kSse42,
        to_index<with_implicit_lengths>),
    row("VEX.128.66.0F3A.WIG 60 /r ib", "vpcmpestrm", r(Vdq), r(Wdq), r(Ib), "MMM00M", avx,
        to_mask<with_explicit_lengths, kVex128>),
    row("VEX.128.66.0F3A.WIG 61 /r ib", "vpcmpestri", r(Vdq), r(Wdq), r(Ib), "MMM00M", avx,
        to_index<with_explicit_lengths>),
    row("VEX.128.66.0F3A.WIG 62 /r ib", "vpcmpistrm", r(Vdq), r(Wdq), r(Ib), "MMM00M", avx,
        to_mask<with_implicit_lengths, kVex128>),
    row("VEX.128.66.0F3A.WIG 63 /r ib", "vpcmpistri", r(Vdq), r(Wdq), r(Ib), "MMM00M", avx,
        to_index<with_implicit_lengths>),
};

}  // namespace

std::span<const Row> sse_string_rows() {
  return kRows;
}

}  // namespace kite::tcg
