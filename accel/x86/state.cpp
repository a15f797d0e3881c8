#include "accel/x86/state.h"

#include "accel/x86/cpu_model.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"

namespace kite {

X86State X86State::after_reset() {
  X86State state;
  for (Segment& segment : state.segments) {
    segment = {.type = segment_type::kWritable | segment_type::kAccessed};
  }
  // The first instruction is fetched from FFFFFFF0h: the hidden base is not sixteen times the
  // selector.
  state.segments[kCs] = {
      .selector = 0xf000,
      .base = 0xffff0000,
      .type = segment_type::kCode | segment_type::kReadable | segment_type::kAccessed};
  state.ldtr = {.type = system_type::kLdt, .s = false};
  state.tr = {.type = system_type::kTssBusy, .s = false};
  state.gpr[kRdx] = kProcessorSignature;
  state.fpu.ftw = 0xff;  // table 9-1: the tag word is 5555h, all registers zero
  return state;
}

void X86State::init(bool boot_processor) {
  X86State fresh = after_reset();
  constexpr u64 kCaches = kite::cr0::kCd | kite::cr0::kNw;  // their state survives
  fresh.cr0 = (fresh.cr0 & ~kCaches) | (cr0 & kCaches);
  fresh.fpu = fpu;
  fresh.star = star;
  fresh.lstar = lstar;
  fresh.cstar = cstar;
  fresh.sfmask = sfmask;
  fresh.kernel_gs_base = kernel_gs_base;
  fresh.sysenter_cs = sysenter_cs;
  fresh.sysenter_esp = sysenter_esp;
  fresh.sysenter_eip = sysenter_eip;
  fresh.pat = pat;
  fresh.tsc = tsc;
  fresh.tsc_aux = tsc_aux;
  fresh.tsc_adjust = tsc_adjust;
  fresh.misc_enable = misc_enable;
  fresh.mtrr_def_type = mtrr_def_type;
  fresh.mtrr_fixed = mtrr_fixed;
  fresh.mtrr_variable = mtrr_variable;
  fresh.mcg_status = mcg_status;
  fresh.mcg_ctl = mcg_ctl;
  fresh.mc_banks = mc_banks;
  fresh.kvm_system_time = kvm_system_time;
  fresh.kvm_wall_clock = kvm_wall_clock;
  fresh.other_msrs = other_msrs;
  fresh.mp_state = boot_processor ? MpState::kRunning : MpState::kWaitForSipi;
  *this = fresh;
}

void X86State::start_up(u8 vector) {
  if (mp_state != MpState::kWaitForSipi) return;
  segments[kCs].selector = static_cast<u16>(vector << 8);
  segments[kCs].base = u64{vector} << 12;
  rip = 0;
  mp_state = MpState::kRunning;
}

}  // namespace kite
