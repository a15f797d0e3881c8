#include "accel/tcg/vcpu.h"

#include "accel/tcg/trace.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "base/log.h"
#include "base/trace.h"
#include "memory/dirty_log.h"

namespace kite::tcg {

TcgVcpu::TcgVcpu(const AcceleratorConfig& config, const VcpuConfig& vcpu, const Decoder& decoder,
                 Processors& processors)
    : cpu_(config, vcpu, &processors) {
  processors.exclusive.join(cpu_.attention, kAttendGate);
  cpu_.epoch = config.epoch;
  cpu_.code = std::make_unique<CodeCache>(cpu_, decoder);
  // As if for another engine: that one may have set the local APIC's idea of the TSC already.
  cpu_.lease = Cpu::Lease::kFirst;
  (void)set_state(X86State::after_reset());
  cpu_.lease = Cpu::Lease::kNone;
}

Result<> TcgVcpu::translate(CodeMemory memory, TableKind tables, MakeBlockRunner* make) {
  const std::size_t bytes = memory.size();
  cpu_.code->set_runner(KITE_TRY(make(cpu_, std::move(memory), tables)), bytes);
  return {};
}

void TcgVcpu::begin_to_translate() {
  WhenRun what = std::move(*when_run_);
  when_run_.reset();
  cpu_.tlb.flush_all();  // what it has is in no fast table
  if (Result<> made = translate(std::move(what.memory), what.tables); !made)
    log::debug("tcg: guest code is not translated: {}", made.error().message);
}

TcgVcpu::~TcgVcpu() {
  cpu_.processors.exclusive.depart(cpu_.attention);
}

void TcgVcpu::signal(Signal signal, u32 argument) {
  switch (signal) {
    case Signal::kInterrupt:
      cpu_.attention |= kAttendInterrupt;
      break;
    case Signal::kNmi:
      collect_nmi();
      break;
    case Signal::kInit:
      cpu_.attention |= kAttendInit;
      break;
    case Signal::kSipi:
      cpu_.sipi_vector = argument;
      cpu_.attention |= kAttendSipi;
      break;
  }
}

Result<Exit> TcgVcpu::run(Nanos deadline) {
  if (when_run_) begin_to_translate();
  cpu_.processors.exclusive.enter();
  cpu_.code->hear_news(true);
  const Exit exit = run_blocks(deadline);
  cpu_.processors.code.leave(cpu_.code->number());
  cpu_.processors.exclusive.leave();
  leave_dirty_log();
  if (lockstep_ && lockstep_->failure()) return tl::unexpected(*lockstep_->failure());
  return exit;
}

Exit TcgVcpu::run_blocks(Nanos deadline) {
  constexpr unsigned kBlocksPerClockLook = 1024;
  unsigned blocks = 0;
  cpu_.attention.count(deadline != kNever);
  if (cpu_.halted) cpu_.attention |= kAttendHalt;
  tracing_ = trace::enabled(trace::Category::kCpu);
  careful_ = tracing_ || lockstep_;
  attend_dirty_log();
  for (;;) {
    if (cpu_.attention.load(std::memory_order_relaxed)) [[unlikely]] {
      if (auto exit = attend()) return *exit;
      // Before anything that fetching the instruction may raise (SDM 3A table 6-2). Whatever makes
      // mode.single keeps kAttendTrap set.
      if (cpu_.mode.single && instruction_breakpoint()) continue;
    }
    if (++blocks % kBlocksPerClockLook == 0 && deadline != kNever && cpu_.clock.now() >= deadline)
      return Exit{Exit::Kind::kDeadline, false};
    Block* block = cpu_.code->lookup();
    if (!block) [[unlikely]] {
      cpu_.deliver(cpu_.rip);
    } else if (block->mode.single || careful_) [[unlikely]] {
      run_carefully(*block);
    } else if (const auto ran = run_translated(*block)) {
      if (ran->look_around) blocks = kBlocksPerClockLook - 1;
      finish_block(*ran->last, ran->flow);
    } else {
      const Insn* insn = block->insns;
      cpu_.gpr[kBlockRip] = cpu_.rip;
      Flow flow;
      while ((flow = insn->handler(cpu_, *insn)) == Flow::kNext) ++insn;
      finish_block(*insn, flow);
    }
  }
}

std::optional<BlockRunner::Ran> TcgVcpu::run_translated(Block& block) {
  BlockRunner* runner = cpu_.code->runner();
  return runner ? runner->run(block) : std::nullopt;
}

inline void TcgVcpu::finish_block(const Insn& last, Flow flow) {
  instructions_.store(instructions_.load(std::memory_order_relaxed) + last.ordinal + 1,
                      std::memory_order_relaxed);
  if (flow != Flow::kFault) [[likely]]
    return;
  const bool at_instruction = cpu_.fault.kind == Fault::Kind::kFault;
  cpu_.rip = cpu_.this_rip(last);
  if (cpu_.fault.kind == Fault::Kind::kBarred) return;
  const bool completed = cpu_.fault.kind == Fault::Kind::kSoftwareInterrupt;
  cpu_.deliver(at_instruction ? cpu_.rip : cpu_.next_rip(last));
  const u64 pending = std::exchange(cpu_.pending_debug, 0);
  // What a MOV SS in front put off is taken as soon as INT n has reached its handler.
  if (completed && pending) take_debug_trap(pending);
}

// A block that is traced or compared, or a single instruction under TF, breakpoints or an interrupt
// shadow.
void TcgVcpu::run_carefully(Block& block) {
  if (lockstep_ && !tracing_ && !block.mode.single) {
    const BlockRunner::Ran ran = lockstep_->run(block);
    return finish_block(*ran.last, ran.flow);
  }
  const bool stepping = cpu_.system_flags & rflags::kTf;
  cpu_.gpr[kBlockRip] = cpu_.rip;
  const Insn* insn = block.insns;
  Flow flow;
  for (;; ++insn) {
    if (tracing_) trace_instruction(cpu_, block, *insn);
    if ((flow = insn->handler(cpu_, *insn)) != Flow::kNext) break;
  }
  finish_block(*insn, flow);
  if (flow != Flow::kFault && block.mode.single) after_instruction(stepping);
}

// Instruction breakpoints are taken before the instruction, unless RF is set (SDM 3B 17.3.1.1).
bool TcgVcpu::instruction_breakpoint() {
  const bool resume = cpu_.system_flags & rflags::kRf;
  cpu_.system_flags &= ~rflags::kRf;
  // Behind MOV SS, too: it is Intel's processors that leave this one out there (SDM 3A 6.8.3), and
  // the models are AMD's.
  if (resume || !(cpu_.dr7 & dr7::kEnables)) return false;
  u64 hit = 0;
  for (unsigned n = 0; n < 4; ++n)
    if ((cpu_.dr7 >> (2 * n) & 3) && dr7::condition(cpu_.dr7, n) == dr7::kExecute &&
        cpu_.dr[n] == cpu_.rip + cpu_.segment_base[kCs])
      hit |= dr6::kB0 << n;
  if (!hit) return false;
  cpu_.dr6 = (cpu_.dr6 & ~u64{0xf}) | hit;
  cpu_.raise(kDebugException);
  cpu_.deliver(cpu_.rip);
  return true;
}

// Traps behind a completed instruction: data breakpoints and single step.
void TcgVcpu::after_instruction(bool was_stepping) {
  if (std::exchange(cpu_.step_by_new_flags, false)) was_stepping = cpu_.system_flags & rflags::kTf;
  // MOV SS puts its traps off; STI only interrupts (SDM 3A 6.8.3).
  if (std::exchange(cpu_.debug_shadow, false)) return;
  if (was_stepping) cpu_.pending_debug |= dr6::kBs;
  if (const u64 pending = std::exchange(cpu_.pending_debug, 0)) take_debug_trap(pending);
}

// `causes`: bits of DR6.
void TcgVcpu::take_debug_trap(u64 causes) {
  cpu_.dr6 = (cpu_.dr6 & ~u64{0xf}) | causes;
  cpu_.halted = false;  // a trap behind HLT ends it (SDM 2A "HLT")
  cpu_.attention &= ~kAttendHalt;
  cpu_.raise(kDebugException, Fault::Kind::kTrap);
  cpu_.deliver(cpu_.rip);
}

void TcgVcpu::deliver_event(u8 vector) {
  cpu_.halted = false;
  cpu_.attention &= ~kAttendHalt;
  cpu_.fault = {vector, Fault::Kind::kExternal, false, 0};
  cpu_.deliver(cpu_.rip);
}

void TcgVcpu::attend_memory() {
  cpu_.attention &= ~kAttendMemory;
  cpu_.code->flush();
  cpu_.select_tables();
}

void TcgVcpu::attend_interrupt() {
  if (!(cpu_.system_flags & rflags::kIf)) {
    cpu_.attention &= ~kAttendInterrupt;
    cpu_.interrupt_waiting = true;
    return;
  }
  // Cleared before the question is asked, so that an interrupt which comes between is not lost.
  cpu_.attention &= ~kAttendInterrupt;
  cpu_.interrupt_waiting = false;
  if (!cpu_.interrupts || !cpu_.interrupts->pending()) return;
  if (auto vector = cpu_.interrupts->acknowledge()) deliver_event(*vector);
  cpu_.attention |= kAttendInterrupt;  // there may be another
}

// One NMI waits behind the one that is handled (SDM 3A 6.7.1). Two that come between two blocks are
// that pair: a processor looks before every instruction, and would have taken the first.
void TcgVcpu::collect_nmi() {
  u8 now = cpu_.nmi;
  while (now != 2 && now != (Cpu::kNmiBlocked | 1) &&
         !cpu_.nmi.compare_exchange_weak(now, static_cast<u8>(now + 1))) {
  }
  cpu_.attention |= kAttendNmi;
}

void TcgVcpu::attend_nmi() {
  cpu_.attention &= ~kAttendNmi;
  if (cpu_.nmi == 0) return;
  // From n waiting to n - 1 and blocked, at once.
  const u8 before = cpu_.nmi.fetch_add(Cpu::kNmiBlocked - 1);
  if (before > 1) cpu_.attention |= kAttendNmi;
  deliver_event(kNmiInterrupt);
}

// A page whose store permission is cached would not be noted as dirty. Who starts the log changes
// its epoch first and then looks at dirty_epoch_, and this does it the other way round: so either
// the change is seen here, or it is waited for.
void TcgVcpu::attend_dirty_log() {
  for (;;) {
    const u64 epoch = cpu_.memory.dirty_log().epoch();
    if (dirty_epoch_.load(std::memory_order_relaxed) == epoch) return;
    if (std::exchange(protected_epoch_, epoch) != epoch) cpu_.tlb.protect_all();
    dirty_epoch_.store(epoch);
    dirty_epoch_.notify_all();
  }
}

void TcgVcpu::leave_dirty_log() {
  dirty_epoch_.store(kOutside);
  dirty_epoch_.notify_all();
}

void TcgVcpu::wait_for_dirty_log() {
  const u64 wanted = cpu_.memory.dirty_log().epoch();
  cpu_.attention |= kAttendGate;  // nobody has closed the gate: it only ends the blocks
  for (u64 seen; (seen = dirty_epoch_.load()) != kOutside && seen < wanted;)
    dirty_epoch_.wait(seen);
}

void TcgVcpu::attend_start_up(u32 wanted) {
  cpu_.attention &= ~(wanted & (kAttendInit | kAttendSipi));
  if (!(wanted & kAttendInit) && !wait_for_sipi_) return;  // a SIPI that nobody waits for
  X86State next = state();
  if (wanted & kAttendInit) next.init(cpu_.config.index == 0);
  if (wanted & kAttendSipi) next.start_up(static_cast<u8>(cpu_.sipi_vector));
  load_state(next);
}

// What others want of this processor: memory, code, the gate.
void TcgVcpu::attend_others(u32 wanted) {
  attend_dirty_log();
  if (wanted & kAttendGate) {
    cpu_.attention &= ~kAttendGate;
    cpu_.processors.exclusive.safe_point();
  }
  if (wanted & kAttendCode) {
    cpu_.attention &= ~kAttendCode;
    cpu_.code->hear_news(false);
  }
  if (wanted & kAttendMemory) attend_memory();
}

// Answers whether the shadow of STI or MOV SS covers the block that runs now.
bool TcgVcpu::attend_traps(u32 wanted) {
  if (cpu_.step_by_new_flags) after_instruction(false);
  cpu_.debug_shadow = cpu_.debug_shadow && cpu_.mode.single;
  const bool shadow = std::exchange(cpu_.interrupt_shadow, false);
  if ((wanted & kAttendTrap) && !shadow) {
    cpu_.attention &= ~kAttendTrap;
    cpu_.update_mode();
  }
  return shadow;
}

std::optional<Exit> TcgVcpu::attend() {
  const u32 wanted = cpu_.attention.load();
  if (wanted & kAttendShutdown) {
    cpu_.attention &= ~kAttendShutdown;
    return Exit{Exit::Kind::kShutdown, false};
  }
  if (wanted & kAttendKick) {
    cpu_.attention &= ~kAttendKick;
    return Exit{Exit::Kind::kKicked, false};
  }
  attend_others(wanted);
  if (wanted & (kAttendInit | kAttendSipi)) attend_start_up(wanted);
  if (wait_for_sipi_) return Exit{Exit::Kind::kHalted, false};
  if (!attend_traps(wanted)) {
    if ((wanted & kAttendNmi) && !(cpu_.nmi & Cpu::kNmiBlocked)) {
      attend_nmi();
    } else if (cpu_.attention & kAttendInterrupt) {
      attend_interrupt();
    }
  }
  if (cpu_.halted) {
    cpu_.attention &= ~kAttendHalt;
    return Exit{Exit::Kind::kHalted, (cpu_.system_flags & rflags::kIf) != 0};
  }
  return std::nullopt;
}

}  // namespace kite::tcg
