// Between the engine's state and X86State.
#include "accel/tcg/vcpu.h"
#include "accel/x86/msr.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {

namespace {

// The engine keeps the x87 registers in physical order, X86State from the top of the stack.
FpuState rotated(const FpuState& fpu, int by) {
  FpuState result = fpu;
  for (int i = 0; i < 8; ++i)
    result.st[static_cast<std::size_t>(i)] = fpu.st[static_cast<std::size_t>((i + by) & 7)];
  return result;
}

int top_of(const FpuState& fpu) {
  return fpu.fsw >> 11 & 7;
}

}  // namespace

// What the engine has no use for stays as it was set: another one may have.
X86State TcgVcpu::state() {
  X86State state = cpu_.msr;
  state.pending = {};
  state.tsc_at.reset();
  std::copy_n(cpu_.gpr.begin(), 16, state.gpr.begin());
  state.rip = cpu_.rip;
  state.rflags = cpu_.rflags();
  if (!cpu_.mode.single) state.rflags &= ~rflags::kRf;  // nothing looks at it, and it may be stale
  state.segments = cpu_.segments;
  state.ldtr = cpu_.ldtr;
  state.tr = cpu_.tr;
  state.gdtr = cpu_.gdtr;
  state.idtr = cpu_.idtr;
  state.cr0 = cpu_.cr0;
  state.cr2 = cpu_.cr2;
  state.cr3 = cpu_.cr3;
  state.cr4 = cpu_.cr4;
  state.dr = cpu_.dr;
  state.dr6 = cpu_.dr6;
  state.dr7 = cpu_.dr7;
  state.fpu = rotated(cpu_.fpu, top_of(cpu_.fpu));
  state.efer = cpu_.efer;
  state.tsc = cpu_.tsc();
  u64 deadline = 0;
  if (cpu_.interrupts && cpu_.lease == Cpu::Lease::kNone &&
      cpu_.interrupts->read_msr(msr::kTscDeadline, deadline))
    state.tsc_deadline = deadline;
  const u32 asked = cpu_.attention.load();
  state.pending.triple_fault = (asked & kAttendShutdown) != 0;
  state.pending.init = (asked & kAttendInit) != 0;
  if (asked & kAttendSipi) state.pending.sipi = static_cast<u8>(cpu_.sipi_vector);
  state.pending.nmi = (cpu_.nmi & ~Cpu::kNmiBlocked) != 0;
  state.pending.nmi_blocked = (cpu_.nmi & Cpu::kNmiBlocked) != 0;
  state.pending.sti_shadow = cpu_.interrupt_shadow && !cpu_.debug_shadow;
  state.pending.mov_ss_shadow = cpu_.interrupt_shadow && cpu_.debug_shadow;
  state.mp_state = wait_for_sipi_ ? MpState::kWaitForSipi
                   : cpu_.halted  ? MpState::kHalted
                                  : MpState::kRunning;
  return state;
}

// There are KVMs under which a guest sees the host's CPUID, whatever it was to be told, and may use
// what is there. Here it would fault at the next such instruction.
Result<> TcgVcpu::set_state(const X86State& state) {
  const CpuModel& model = cpu_.model;
  const u64 cr4 = state.cr4 & ~model.cr4_bits(), xcr0 = state.fpu.xcr0 & ~(model.xcr0_bits() | 1);
  if (cr4 != 0 || xcr0 != 0)
    return fail(ErrorKind::kUnavailable,
                "the guest has switched on what it was not told it has (CR4 {:#x}, XCR0 {:#x})", cr4,
                xcr0);
  // What was signalled to the processor that was here before is void.
  cpu_.attention &= kAttendKick | kAttendMemory;
  cpu_.nmi = state.pending.nmi ? 1 : 0;
  if (state.pending.nmi) cpu_.attention |= kAttendNmi;
  if (state.pending.init) cpu_.attention |= kAttendInit;
  if (state.pending.sipi) cpu_.sipi_vector = *state.pending.sipi, cpu_.attention |= kAttendSipi;
  // By the TSC that goes: with the new one it might fire.
  if (state.tsc_deadline && cpu_.interrupts) (void)cpu_.interrupts->write_msr(msr::kTscDeadline, 0);
  cpu_.move_tsc(state.tsc - (state.tsc_at ? cpu_.tsc_at(*state.tsc_at) : cpu_.tsc()));
  load_state(state);
  if (state.tsc_deadline && cpu_.interrupts)
    (void)cpu_.interrupts->write_msr(msr::kTscDeadline, state.tsc_deadline);
  cpu_.publish_system_time();
  return {};
}

// All of it but the TSC and what is signalled, which INIT and SIPI leave alone.
void TcgVcpu::load_state(const X86State& state) {
  std::copy_n(state.gpr.begin(), 16, cpu_.gpr.begin());
  cpu_.rip = state.rip;
  cpu_.cr0 = state.cr0;
  cpu_.cr2 = state.cr2;
  cpu_.cr3 = state.cr3;
  cpu_.cr4 = state.cr4;
  cpu_.efer = state.efer;
  cpu_.dr = state.dr;
  cpu_.dr6 = state.dr6;
  cpu_.dr7 = state.dr7;
  cpu_.ldtr = state.ldtr;
  cpu_.tr = state.tr;
  cpu_.gdtr = state.gdtr;
  cpu_.idtr = state.idtr;
  cpu_.segments = state.segments;
  for (std::size_t i = 0; i < 6; ++i) cpu_.segment_base[i] = state.segments[i].base;
  const bool protected_mode = state.cr0 & cr0::kPe;
  cpu_.cpl = protected_mode ? state.segments[kSs].dpl : 0;
  if (state.rflags & rflags::kVm) cpu_.cpl = 3;
  cpu_.fpu = rotated(state.fpu, 8 - top_of(state.fpu));
  cpu_.msr = state;
  cpu_.system_flags = 0;
  cpu_.set_rflags(state.rflags);
  cpu_.attention &= ~(kAttendTrap | kAttendHalt | kAttendShutdown);
  cpu_.attention |= kAttendInterrupt;
  cpu_.nmi &= static_cast<u8>(~Cpu::kNmiBlocked);
  if (state.pending.nmi_blocked) cpu_.nmi |= Cpu::kNmiBlocked;
  cpu_.interrupt_shadow = state.pending.sti_shadow || state.pending.mov_ss_shadow;
  cpu_.debug_shadow = state.pending.mov_ss_shadow;
  cpu_.step_by_new_flags = false;
  cpu_.repeat_rip = ~u64{0};
  cpu_.interrupt_waiting = false;
  cpu_.halted = state.mp_state == MpState::kHalted;
  wait_for_sipi_ = state.mp_state == MpState::kWaitForSipi;
  cpu_.pdptes = {};
  (void)cpu_.load_pdptes(cpu_.cr3, cpu_.cr0, cpu_.cr4);
  cpu_.code->flush();  // with the TLB, global pages too: another state's are not this one's
  cpu_.tlb.select(state.cr4 & cr4::kPcide ? static_cast<u16>(state.cr3 & cr3::kPcid) : u16{0},
                  false);
  cpu_.update_mode();
  if (state.pending.triple_fault) cpu_.attention |= kAttendShutdown;
  if (!state.pending.exception) return;
  const bool external = state.pending.external || state.pending.vector >= kExceptionVectors;
  const bool trap = state.pending.vector == kDebugException;
  const Fault::Kind kind = external ? Fault::Kind::kExternal
                           : trap   ? Fault::Kind::kTrap
                                    : Fault::Kind::kFault;
  cpu_.fault = {state.pending.vector, kind, state.pending.has_error_code, state.pending.error_code};
  cpu_.deliver(cpu_.rip);
}

}  // namespace kite::tcg
