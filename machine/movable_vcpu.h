// MovableVcpu: one processor with an engine per accelerator, of which exactly one, the holder, has
// its state and runs it.
//
// Fall-back. Where the holder cannot execute an instruction it lends its state, the interpreter
// executes that one and perhaps some that follow, and the holder takes the state back. It stays the
// holder meanwhile: whatever is signalled to the processor goes to it, and counts as soon as it
// runs again. So nothing can be lost, and the interpreter's stay must be short.
//
// Moving. Between runs, with every processor of the machine parked, another engine becomes the
// holder; what was signalled and not yet taken goes with the state.
#pragma once

#include <atomic>
#include <mutex>

#include "machine/engines.h"

namespace kite {

// How many instructions the interpreter may go on for: one as long as the holder runs well by
// itself, more while it stumbles again and again.
class StayLength {
 public:
  // A fall-back begins, `since` after the last one ended.
  void begin(Nanos since);
  u64 instructions() const { return instructions_; }

 private:
  // Nothing that an interrupt or another engine's clock waits for: about 0.2 ms.
  static constexpr u64 kMost = 16384;
  u64 instructions_ = 1;
};

class MovableVcpu final : public Vcpu {
 public:
  // `first` is the machine's first accelerator's vCPU for this processor.
  MovableVcpu(Engines& engines, const VcpuConfig& config, Clock& clock,
              std::string_view accelerator, Vcpu& first);

  Result<Exit> run(Nanos deadline) override;
  void kick() override;
  void signal(Signal signal, u32 argument) override;
  X86State state() override { return holder().state(); }
  Result<> set_state(const X86State& state) override { return holder().set_state(state); }
  std::optional<u64> instructions() const override { return holder().instructions(); }

  std::string_view accelerator() const { return accelerator_; }
  // The engine `to`, of `accelerator`, becomes the holder, with the state that this one's set_state
  // is given. While every processor is parked.
  Result<> move(std::string_view accelerator, Vcpu& to, const X86State& state);

  // How often the holder could not execute an instruction, and how many the interpreter executed
  // then. Any thread.
  u64 fall_backs() const { return fall_backs_.load(std::memory_order_relaxed); }
  u64 fall_back_instructions() const { return executed_.load(std::memory_order_relaxed); }

 private:
  Vcpu& holder() const { return *holder_.load(); }
  Result<std::optional<Exit>> fall_back();

  Engines& engines_;
  const u32 index_;
  Clock& clock_;
  std::string_view accelerator_;             // the holder's
  std::atomic<Vcpu*> interpreter_{nullptr};  // once it was needed
  BurstLimits limits_;
  StayLength stay_;
  Nanos last_ = 0;  // when a fall-back ended last
  std::atomic<u64> fall_backs_{0}, executed_{0};

  std::mutex mutex_;  // of who signals: what has not been taken by a move() goes to the new holder
  std::atomic<Vcpu*> holder_;
};

}  // namespace kite
