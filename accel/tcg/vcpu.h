// TcgVcpu: one processor run by the interpreter or the translator.
#pragma once

#include <atomic>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu.h"
#include "accel/tcg/lockstep.h"

namespace kite::tcg {

// The life of run(): look whether anything wants attention; find the block at RIP; run its
// instructions until one leaves; deliver what it raised; again. Everything asynchronous sets a bit
// of Cpu::attention, which is looked at before each block, so a guest that loops in one instruction
// is as responsive as any other.
class TcgVcpu final : public Vcpu {
 public:
  TcgVcpu(const AcceleratorConfig& config, const VcpuConfig& vcpu, const Decoder& decoder,
          Processors& processors);
  ~TcgVcpu() override;

  // From now on what can be is run by what `make` makes in `memory`: the translator, or what a test
  // puts in its place. Before the first run().
  Result<> translate(CodeMemory memory, TableKind tables,
                     MakeBlockRunner* make = &make_block_runner);
  // The same as soon as there is a run(): for a processor that may never have one. Where it then
  // cannot be, handlers do the same.
  void translate_when_run(CodeMemory memory, TableKind tables) {
    when_run_.emplace(WhenRun{std::move(memory), tables});
  }
  bool is_translated() const { return cpu_.code->runner() != nullptr; }
  // Behind that: from now on translated code is compared with the handlers. While this is the only
  // processor.
  void compare() { lockstep_ = std::make_unique<Lockstep>(cpu_); }

  Result<Exit> run(Nanos deadline) override;
  void kick() override { cpu_.attention |= kAttendKick; }
  void signal(Signal signal, u32 argument) override;
  X86State state() override;
  Result<> set_state(const X86State& state) override;
  Result<Burst> execute(X86State& state, const BurstLimits& limits) override;
  // Translated code does not count its instructions.
  std::optional<u64> instructions() const override {
    if (is_translated()) return std::nullopt;
    return instructions_.load(std::memory_order_relaxed);
  }
  void add_to(TranslatorFigures& figures) const {
    if (is_translated()) cpu_.code->runner()->add_to(figures);
  }

  void memory_changed() { cpu_.attention |= kAttendMemory; }

  // Returns when no store of this vCPU passes the dirty log by any more. Not on its own thread.
  void wait_for_dirty_log();

 private:
  void load_state(const X86State& state);
  void begin_to_translate();
  Exit run_blocks(Nanos deadline);
  std::optional<Exit> attend();
  void attend_others(u32 wanted);
  bool attend_traps(u32 wanted);
  void attend_start_up(u32 wanted);
  void attend_dirty_log();
  void leave_dirty_log();
  void attend_memory();
  void attend_interrupt();
  void collect_nmi();
  void attend_nmi();
  std::optional<BlockRunner::Ran> run_translated(Block& block);
  void run_carefully(Block& block);
  void finish_block(const Insn& last, Flow flow);
  void after_instruction(bool was_stepping);
  void take_debug_trap(u64 causes);
  bool instruction_breakpoint();
  void deliver_event(u8 vector);

  // burst.cpp: instructions for another engine.
  void borrow(const X86State& state, const BurstLimits& limits);
  void execute_first(const BurstLimits& limits, Burst& burst);
  void execute_following(const BurstLimits& limits, Burst& burst);
  bool attend_in_burst(Burst& burst);
  bool describe(const Block& block, Burst& burst);

  Cpu cpu_;
  bool wait_for_sipi_ = false;
  bool tracing_ = false;
  bool careful_ = false;     // each block by run_carefully()
  u64 protected_epoch_ = 0;  // of the dirty log, when write permission was last withdrawn
  // The same while running, for wait_for_dirty_log(); between runs kOutside.
  static constexpr u64 kOutside = ~u64{0};
  std::atomic<u64> dirty_epoch_{kOutside};
  std::atomic<u64> instructions_{0};
  std::unique_ptr<Lockstep> lockstep_;
  struct WhenRun {
    CodeMemory memory;
    TableKind tables;
  };
  std::optional<WhenRun> when_run_;
};

}  // namespace kite::tcg
