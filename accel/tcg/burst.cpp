// Vcpu::execute: instructions of a processor that another engine runs.
#include "accel/tcg/isa/row.h"
#include "accel/tcg/vcpu.h"
#include "accel/x86/registers.h"
#include "base/trace.h"

namespace kite::tcg {

namespace {

// A REP string instruction goes on for so many iterations before the other engine is asked again.
constexpr unsigned kMostIterations = 4096;

}  // namespace

Result<Burst> TcgVcpu::execute(X86State& state, const BurstLimits& limits) {
  cpu_.processors.exclusive.enter();
  cpu_.code->hear_news(true);
  Burst burst;
  tracing_ = trace::enabled(trace::Category::kCpu);
  borrow(state, limits);
  const u64 invalidations = cpu_.tlb.invalidations();
  execute_first(limits, burst);
  if (burst.instructions > 0 && limits.instructions > 1) execute_following(limits, burst);
  if (cpu_.attention & kAttendShutdown) burst.end = Exit{Exit::Kind::kShutdown, false};
  burst.translations_changed = cpu_.tlb.invalidations() != invalidations;
  if (burst.instructions > 0) state = this->state();
  cpu_.lease = Cpu::Lease::kNone;
  cpu_.supervisor_stores_barred = false;
  cpu_.processors.code.leave(cpu_.code->number());
  cpu_.processors.exclusive.leave();
  leave_dirty_log();
  return burst;
}

void TcgVcpu::borrow(const X86State& state, const BurstLimits& limits) {
  cpu_.lease = Cpu::Lease::kFirst;
  cpu_.supervisor_stores_barred = !limits.supervisor_stores;
  // load_state() forgets everything, so the news of before it are old.
  cpu_.attention &= kAttendGate | kAttendCode;
  cpu_.nmi = state.pending.nmi ? 1 : 0;
  cpu_.move_tsc(state.tsc - cpu_.tsc());
  load_state(state);
  cpu_.attention &= ~kAttendInterrupt;
}

// Alone in its block, so that nothing behind it is executed unbarred.
void TcgVcpu::execute_first(const BurstLimits& limits, Burst& burst) {
  cpu_.stepping = true;
  cpu_.update_mode();
  const u64 start = cpu_.rip;
  for (unsigned i = 0; i < kMostIterations; ++i) {
    if (attend_in_burst(burst)) break;
    if (instruction_breakpoint()) {
      ++burst.instructions;
      break;
    }
    Block* block = cpu_.code->lookup();
    if (!block) {
      cpu_.deliver(cpu_.rip);
      ++burst.instructions;
      break;
    }
    if (i == 0) {
      if (!describe(*block, burst) && limits.unknown_is_defined) break;
      ++burst.instructions;
    }
    run_carefully(*block);
    if (cpu_.rip != start || cpu_.repeat_rip != start) break;
  }
  cpu_.stepping = false;
  cpu_.update_mode();
}

void TcgVcpu::execute_following(const BurstLimits& limits, Burst& burst) {
  cpu_.lease = Cpu::Lease::kFollowing;
  while (burst.instructions < limits.instructions) {
    if (cpu_.attention.load(std::memory_order_relaxed)) {
      if (attend_in_burst(burst) || cpu_.attention & kAttendKick) return;
      if (cpu_.mode.single && instruction_breakpoint()) {
        ++burst.instructions;
        continue;
      }
    }
    cpu_.fault.kind = Fault::Kind::kFault;
    const u64 before = instructions_.load(std::memory_order_relaxed);
    Block* block = cpu_.code->lookup();
    if (block) {
      run_carefully(*block);
    } else if (cpu_.fault.kind != Fault::Kind::kBarred) {
      cpu_.deliver(cpu_.rip);
      ++burst.instructions;
    }
    burst.instructions += instructions_.load(std::memory_order_relaxed) - before;
    if (cpu_.fault.kind != Fault::Kind::kBarred) continue;
    burst.instructions -= block ? 1 : 0;
    return;
  }
}

// Answers whether the processor has come to a stop.
bool TcgVcpu::attend_in_burst(Burst&) {
  const u32 wanted = cpu_.attention.load();
  if (wanted & kAttendShutdown) return true;
  attend_others(wanted);
  if (wait_for_sipi_ || cpu_.halted) return true;
  attend_traps(wanted);
  return false;
}

// Answers whether the instruction is known, or known to be undefined.
bool TcgVcpu::describe(const Block& block, Burst& burst) {
  const Insn& insn = block.insns[0];
  burst.length = insn.length;
  for (unsigned i = 0; i < insn.length; ++i) {
    Cpu::Translation where;
    const auto privilege = cpu_.cpl == 3 ? Privilege::kUser : Privilege::kSupervisor;
    const u64 linear = cpu_.rip + cpu_.segment_base[kCs] + i;
    if (!cpu_.translate(linear, Access::kExecute, privilege, where) || !where.host) break;
    burst.bytes[i] = guest_load<u8>(where.host);
  }
  const Row* row = Decoder::row_of(insn);
  if (row) burst.name = row->name;
  return row != nullptr;
}

}  // namespace kite::tcg
