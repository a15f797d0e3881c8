// An accelerator whose vCPU does what a test's function says, in place of a guest.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "accel/accelerator.h"
#include "machine/machine.h"

namespace kite::test {

class FakeVcpu;

// What the guest does each time run() is called. `boots` counts set_state(): 1 is power-on.
using FakeProgram = std::function<Result<Exit>(FakeVcpu&)>;

class FakeVcpu : public Vcpu {
 public:
  FakeVcpu(const AcceleratorConfig& config, InterruptPort* interrupts, FakeProgram program)
      : config_(config), interrupts_(interrupts), program_(std::move(program)) {}

  Result<Exit> run(Nanos deadline) override {
    runs++;
    deadline_ = deadline;
    return program_(*this);
  }
  void kick() override {
    std::lock_guard lock(mutex_);
    kicked_ = true;
    changed_.notify_all();
  }
  void signal(Signal signal, u32) override {
    std::lock_guard lock(mutex_);
    if (signal == Signal::kNmi) nmis_++;
    changed_.notify_all();
  }
  X86State state() override { return state_; }
  Result<> set_state(const X86State& state) override {
    state_ = state;
    boots++;
    runs = 0;
    return {};
  }
  std::optional<u64> instructions() const override { return 4711; }

  // For programs.
  void out(u16 port, u32 value, unsigned size = 1) { config_.ports.out(port, value, size); }
  u32 in(u16 port, unsigned size = 1) { return config_.ports.in(port, size); }
  AddressSpace& memory() { return config_.memory; }
  InterruptPort& interrupts() { return *interrupts_; }
  const AcceleratorOptions& options() const { return config_.options; }
  void print(std::string_view text) {
    for (char character : text) out(0x3f8, static_cast<u8>(character));
  }
  static Exit halt(bool interrupts_enabled) { return {Exit::Kind::kHalted, interrupts_enabled}; }
  // What a guest in an endless loop does.
  Exit spin() {
    std::unique_lock lock(mutex_);
    const auto kicked = [this] { return kicked_; };
    if (deadline_ == kNever) {
      changed_.wait(lock, kicked);
    } else if (const Nanos left = deadline_ - config_.clock.now();
               !changed_.wait_for(lock, std::chrono::nanoseconds(left), kicked)) {
      return {Exit::Kind::kDeadline, false};
    }
    kicked_ = false;
    return {Exit::Kind::kKicked, false};
  }
  int nmis() {
    std::lock_guard lock(mutex_);
    return nmis_;
  }

  int boots = 0;
  int runs = 0;  // since the last set_state()
  X86State state_;

 private:
  AcceleratorConfig config_;
  InterruptPort* interrupts_;
  FakeProgram program_;
  Nanos deadline_ = kNever;  // of this run
  std::mutex mutex_;         // guards everything below
  std::condition_variable changed_;
  bool kicked_ = false;
  int nmis_ = 0;
};

// Ready to be a MachineOutside's only accelerator; the program is that of the latest object.
class FakeAccelerator {
 public:
  explicit FakeAccelerator(FakeProgram program, std::optional<TranslatorFigures> figures = {}) {
    program_ = std::move(program);
    figures_ = std::move(figures);
  }

  std::span<const AcceleratorKind* const> kinds() const { return kKinds; }

 private:
  class Maker : public Accelerator {
   public:
    explicit Maker(const AcceleratorConfig& config) : config_(config) {}
    std::string_view name() const override { return "tcg"; }
    Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig& vcpu) override {
      return std::make_unique<FakeVcpu>(config_, vcpu.interrupts, program_);
    }
    std::optional<TranslatorFigures> translator_figures() const override { return figures_; }

   private:
    AcceleratorConfig config_;
  };
  static Result<> probe() { return {}; }
  static Result<std::unique_ptr<Accelerator>> create(const AcceleratorConfig& config) {
    return std::make_unique<Maker>(config);
  }

  static inline FakeProgram program_;
  static inline std::optional<TranslatorFigures> figures_;
  static constexpr AcceleratorKind kKind{"tcg", "does what the test says", probe, create,
                                         [] { return 255u; }};
  static constexpr const AcceleratorKind* kKinds[] = {&kKind};
};

}  // namespace kite::test
