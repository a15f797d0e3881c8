#include "accel/tcg/isa/x87.h"

namespace kite::tcg {

bool X87::begin(const Insn& insn) {
  if (fpu_.fsw & kErrorSummary) [[unlikely]]
    return cpu_.raise(16), false;
  fpu_.fip = cpu_.this_rip(insn);
  fpu_.fcs = cpu_.segments[kCs].selector;
  if (insn.is_memory) {
    fpu_.fdp = cpu_.effective_address(insn) & insn.address_mask();
    u8 segment = insn.segment;
    if (segment == kFlat) segment = kDs;
    if (segment == kFlatStack) segment = kSs;
    fpu_.fds = cpu_.segments[segment].selector;
  }
  return true;
}

void X87::set(unsigned i, const fpu::Float80& value) {
  const unsigned n = physical(i);
  u8* reg = fpu_.st[n].data();
  store<u64>(reg, value.significand);
  store<u16>(reg + 8, value.sign_exponent);
  fpu_.ftw |= static_cast<u8>(1u << n);
}

fpu::Control X87::control() const {
  fpu::Control control;
  control.rounding = static_cast<fpu::Rounding>(fpu_.fcw >> 10 & 3);
  control.masks = fpu_.fcw & 0x3f;
  constexpr int kPrecision[] = {24, 64, 53, 64};  // 01b is reserved
  control.format.precision = kPrecision[fpu_.fcw >> 8 & 3];
  return control;
}

void X87::update_summary() {
  if (fpu_.fsw & ~fpu_.fcw & 0x3f)
    fpu_.fsw |= kErrorSummary | kBusy;
  else
    fpu_.fsw &= static_cast<u16>(~(kErrorSummary | kBusy));
}

bool X87::report(const Insn& insn, u8 flags, bool rounded_up) {
  set_codes(rounded_up ? kC1 : 0, kC1);
  if (flags == 0) [[likely]]
    return true;
  fpu_.fsw |= flags;
  if (masked(flags)) return true;
  update_summary();
  note_opcode(insn);
  return masked(flags & fpu::kBeforeComputing);
}

bool X87::stack_fault(const Insn& insn, bool overflow) {
  fpu_.fsw |= kStackFault;
  return report(insn, fpu::kInvalid, overflow);
}

void X87::push_checked(const Insn& insn, const fpu::Float80& value) {
  if (empty(7)) {
    set_codes(0, kC1);
    push(value);
  } else if (stack_overflow(insn)) {
    push(fpu::kIndefinite80);
  }
}

// FOP is wanted only where an exception is pending, and processors record it only then: so the
// bytes are looked up again instead of being kept for every instruction.
void X87::note_opcode(const Insn& insn) {
  const u64 start = cpu_.this_rip(insn) + cpu_.segment_base[kCs];
  for (unsigned i = 0; i + 1 < insn.length; ++i) {
    u8 first, second;
    if (!cpu_.load_at<u8>(start + i, first) || !cpu_.load_at<u8>(start + i + 1, second)) return;
    if ((first & 0xf8) != 0xd8) continue;
    fpu_.fop = static_cast<u16>((first & 7) << 8 | second);
    return;
  }
}

void initialize_x87(FpuState& fpu) {
  fpu.fcw = 0x037f;
  fpu.fsw = 0;
  fpu.ftw = 0;
  fpu.fop = 0;
  fpu.fip = fpu.fdp = 0;
  fpu.fcs = fpu.fds = 0;
}

}  // namespace kite::tcg
