#include "machine/full_machine.h"

#include <csignal>

#include "base/log.h"
#include "machine/boards/board.h"
#include "machine/sandbox.h"

namespace kite {
namespace {

// How long a panicked kernel may go on to print its trace.
constexpr Nanos kPanicGrace = kSecond;
// How long the far side of a serial line may take to read what is left at the end.
constexpr Nanos kFlushLimit = 2 * kSecond;

std::string signal_name(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return fmt::format("signal {}", signal);
  }
}

}  // namespace

FullMachine::~FullMachine() {
  for (auto& processor : processors_) processor->thread().detach();
  if (events_) give_events_to(nullptr);  // before the accelerator goes
}

Outcome FullMachine::run() {
  started_ = clock_.now();
  if (config_.timeout) timeout_.arm(started_ + *config_.timeout);
  wake();
  start_threads();
  watch_halts();
  loop_->run();
  halt_watch_->stop();
  for (auto& processor : processors_) processor->thread().stop();
  const Nanos ended = clock_.now();
  Outcome outcome = settle();
  outcome.duration = ended - started_;
  save(outcome);
  return outcome;
}

// The filters are ready before the first thread enters its own.
void FullMachine::start_threads() {
  if (sandboxed_) {
    if (Result<> prepared = sandbox::prepare(); !prepared) {
      control_.fail(prepared.error());
      return;
    }
  }
  for (auto& processor : processors_) processor->thread().start();
  if (!sandboxed_) return;
  if (Result<> entered = sandbox::enter(sandbox::Thread::kIo); !entered)
    control_.fail(entered.error());
}

void FullMachine::request_stop(int signal) {
  int none = kNoSignal;
  stop_signal_.compare_exchange_strong(none, signal);
  loop_->stop();
}

void FullMachine::wake() {
  if (!review_posted_.exchange(true)) loop_->post([this] { review(); });
}

void FullMachine::review() {
  review_posted_.store(false);
  review_console();
  if (control_.ending()) return loop_->stop();
  if (std::optional<std::string> source = control_.pending_reset()) return reset(*source);
  if (control_.asleep()) sleep_or_wake();
}

void FullMachine::review_console() {
  const ConsoleWatch::Findings& found = watch_->review();
  if (!found.failure.empty() || found.everything_expected) {
    loop_->stop();  // settle() says which it was
  } else if (found.panic && config_.end_on_panic) {
    if (found.panic_complete) return loop_->stop();
    if (!panic_seen_) panic_grace_.arm(clock_.now() + kPanicGrace);
    panic_seen_ = true;
  }
}

void FullMachine::reset(const std::string& source) {
  if (config_.no_reboot) {
    control_.finish(OutcomeKind::kReset,
                    fmt::format("the guest asked {} for a reset (--no-reboot)", source));
    return;
  }
  if (panic_seen_) return loop_->stop();  // a kernel that restarts itself after its panic
  static log::Limiter limiter;
  if (limiter.allow()) log::info("the guest asked {} for a reset", source);
  restart();
}

void FullMachine::restart() {
  park_vcpus();
  control_.reset_begins();
  if (control_.ending()) return loop_->stop();  // it came while the vCPUs were on their way
  resets_++;
  begin_anew(Begin::kBoot);
}

// The vCPU that asked executes nothing more; the others stop when the loop comes here.
void FullMachine::sleep_or_wake() {
  park_vcpus();
  if (!control_.pending_wake()) return;
  control_.sleep_ends();
  static log::Limiter limiter;
  if (limiter.allow()) log::info("the guest wakes up");
  begin_anew(Begin::kResume);
}

// While the vCPUs are parked.
void FullMachine::begin_anew(Begin how) {
  give_events_to(nullptr);
  interrupts_.come_back_empty();
  if (how == Begin::kResume)
    chips_.reset_after_sleep();
  else
    chips_.reset();
  if (Result<> entered = enter_boot_program(how); !entered) {
    control_.fail(entered.error());
    return;
  }
  resume_vcpus(true);
}

Outcome FullMachine::settle() {
  watch_->review();
  RunControl::Ending ending = judge();
  Outcome outcome;
  outcome.kind = ending.kind;
  outcome.status = ending.status;
  outcome.reason = std::move(ending.reason);
  fill_in(outcome);
  if (serial_backend_) serial_backend_->flush(kFlushLimit);
  if (debug_backend_) debug_backend_->flush(kFlushLimit);
  if (monitor_backend_) monitor_backend_->flush(kFlushLimit);
  return outcome;
}

void FullMachine::fill_in(Outcome& outcome) {
  outcome.rip = processors_[culprit_]->thread().final_rip();
  outcome.last_console_line = watch_->last_line();
  outcome.panic_lines = watch_->panic_lines();
  outcome.accelerator = choice_.kind->name;
  if (outcome.accelerator == "kvm") outcome.kernel_irqchip = chips() != nullptr;
  outcome.accelerator_reason = choice_.reason;
  outcome.started = started_ - created_;
  outcome.resets = resets_;
  for (auto& vcpu : vcpus_) {
    std::optional<u64> executed = vcpu->instructions();
    if (executed) outcome.instructions = outcome.instructions.value_or(0) + *executed;
    outcome.fall_backs += vcpu->fall_backs();
    outcome.fall_back_instructions += vcpu->fall_back_instructions();
  }
  outcome.translator = engines_->translator_figures();
}

// What the console said counts for more than how the guest then stopped: a kernel that powers off
// after its panic has panicked.
RunControl::Ending FullMachine::judge() {
  const ConsoleWatch::Findings& found = watch_->findings();
  std::optional<RunControl::Ending> ending = control_.ending();
  auto verdict = [](OutcomeKind kind, std::string reason) {
    return RunControl::Ending{kind, status_of(kind), std::move(reason)};
  };
  if (ending && ending->kind == OutcomeKind::kHostError) return *ending;
  if (!found.failure.empty()) {
    return verdict(OutcomeKind::kFailOn, fmt::format("--fail-on '{}' appeared", found.failure));
  }
  if (ending && ending->kind == OutcomeKind::kExitValue) return *ending;
  if (found.everything_expected) {
    return verdict(OutcomeKind::kExpected, "everything expected has appeared");
  }
  if (found.panic && config_.end_on_panic) {
    return verdict(OutcomeKind::kPanic,
                   fmt::format("the guest's kernel panicked: {}", watch_->panic_message()));
  }
  if (ending && ending->kind == OutcomeKind::kPowerOff && !watch_->missing().empty()) {
    return verdict(OutcomeKind::kNotExpected,
                   fmt::format("the guest powered off before --expect '{}' appeared",
                               watch_->missing().front()));
  }
  if (ending) return *ending;
  const int signal = stop_signal_.load();
  if (signal > 0) {
    return {OutcomeKind::kInterrupted, 128 + signal,
            fmt::format("interrupted by {}", signal_name(signal))};
  }
  return {OutcomeKind::kInterrupted, 0, "the user left"};
}

void FullMachine::save(Outcome& outcome) {
  if (config_.result_file.empty()) return;
  Result<> written = result_file_.write(config_, outcome);
  if (written) return;
  if (!outcome.normal()) return log::error("{}", written.error().message);
  outcome.kind = OutcomeKind::kHostError;
  outcome.status = static_cast<int>(written.error().kind);
  outcome.reason = written.error().message;
}

Result<> FullMachine::vcpu_starts(VcpuThread&) {
  if (!sandboxed_) return {};
  return sandbox::enter(sandbox::Thread::kVcpu);
}

void FullMachine::vcpu_shut_down(VcpuThread& vcpu) {
  const std::string which = config_.cpus > 1 ? fmt::format(" of vCPU {}", vcpu.index()) : "";
  if (control_.finish(OutcomeKind::kTripleFault, "triple fault" + which)) culprit_ = vcpu.index();
}

void FullMachine::vcpu_asks_for_reset(VcpuThread&) {
  control_.request_reset("the processor");
}

namespace {

u64 revivals(const std::vector<std::unique_ptr<Processor>>& processors) {
  u64 sum = 0;
  for (auto& processor : processors) sum += processor->thread().revivals();
  return sum;
}

}  // namespace

// One may be revived by another that dies only then, so a round in which any was does not count.
void FullMachine::vcpu_is_dead(VcpuThread&) {
  u64 before;
  do {
    before = revivals(processors_);
    for (auto& processor : processors_) {
      if (!processor->thread().is_dead()) return;
    }
  } while (revivals(processors_) != before);
  everyone_is_dead();
}

void FullMachine::watch_halts() {
  if (chips() != nullptr)
    halt_watch_->start();
  else
    halt_watch_->stop();
}

void FullMachine::everyone_is_dead() {
  control_.finish(OutcomeKind::kDeadHalt, "the guest halted with interrupts off: nothing wakes it");
}

void FullMachine::vcpu_failed(VcpuThread& vcpu, const Error& error) {
  if (control_.fail(error)) culprit_ = vcpu.index();
}

}  // namespace kite
