// From a MachineConfig to a machine that is ready to run: the steps of Machine::create.
#include "machine/machine.h"

#include <unistd.h>

#include <chrono>

#include "accel/tcg/tcg.h"
#include "base/heap.h"
#include "base/log.h"
#include "firmware/selftest.h"
#include "machine/boards/addresses.h"
#include "machine/boards/board.h"
#include "machine/full_machine.h"
#include "machine/sandbox.h"

namespace kite {
namespace {

Result<std::vector<ConsolePattern>> compile(std::string_view option,
                                            const std::vector<std::string>& texts) {
  std::vector<ConsolePattern> patterns;
  for (const std::string& text : texts) {
    patterns.push_back(KITE_TRY(ConsolePattern::compile(option, text)));
  }
  return patterns;
}

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config,
                                                 MachineOutside outside) {
  KITE_CHECK(validate(config));
  auto machine = std::make_unique<FullMachine>(config, std::move(outside));
  KITE_CHECK(machine->build());
  return machine;
}

FullMachine::FullMachine(const MachineConfig& config, MachineOutside outside)
    : config_(config),
      outside_(std::move(outside)),
      clock_(outside_.clock != nullptr ? *outside_.clock : real_clock_),
      created_(clock_.now()),
      control_([this] { wake(); }),
      boot_(config_, firmware_, memory_),
      result_file_(config_.result_file),
      timeout_(clock_,
               [this] {
                 control_.finish(OutcomeKind::kTimeout,
                                 fmt::format("timeout: the {} s allowed have passed",
                                             static_cast<double>(*config_.timeout) / kSecond));
               }),
      panic_grace_(clock_, [this] { loop_->stop(); }) {}

namespace {

// The wall clock is looked at once; from then on the guest's time is the machine's clock.
Nanos unix_time_now() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<> FullMachine::build() {
  loop_ = KITE_TRY(EventLoop::create(clock_));
  cpu_model_ = KITE_TRY(find_cpu_model(config_.cpu.empty() ? cpu_model_names().front()
                                                           : std::string_view(config_.cpu)));
  choice_ = KITE_TRY(choose_accelerator(config_.accel, outside_.accelerators, config_.cpus));
  KITE_CHECK(choose_sandbox());
  prepare_tcg_trace();
  KITE_CHECK(open_consoles());
  KITE_CHECK(allocate_memory());
  epoch_ = unix_time_now() - clock_.now();
  KITE_CHECK(build_board());
  KITE_CHECK(start_accelerator());
  return enter_boot_program(Begin::kBoot);
}

// Whether an accelerator can make this machine is known when it has: where it has not, the next of
// the list may.
Result<> FullMachine::start_accelerator() {
  for (;;) {
    Result<> created = create_processors();
    if (created) return created;
    vcpus_.clear();
    engines_.reset();
    choice_ = KITE_TRY(choose_other(choice_, created.error(), outside_.accelerators, config_.cpus));
  }
}

// A board without interrupt controllers is given none by the accelerator either.
Result<AcceleratorOptions> FullMachine::accelerator_options() {
  AcceleratorOptions options = choice_.options;
  if (config_.code_cache) options.code_cache_bytes = *config_.code_cache;
  const Board* board = KITE_TRY(find_board(config_.machine));
  if (board->has_interrupts) return options;
  if (options.kernel_irqchip.value_or(false))
    return fail(ErrorKind::kUsage,
                "--accel {},kernel-irqchip=on: the {} machine has no interrupt controllers",
                choice_.kind->name, board->name);
  options.kernel_irqchip = false;
  return options;
}

Result<> FullMachine::choose_sandbox() {
  if (config_.sandbox == SandboxWish::kOff) return {};
  const std::string reason = sandbox::why_not();
  sandboxed_ = reason.empty();
  if (!sandboxed_ && config_.sandbox == SandboxWish::kOn)
    return fail(ErrorKind::kUnavailable, "--sandbox on: {}", reason);
  if (!sandboxed_) log::debug("no sandbox: {}", reason);
  return {};
}

Result<> FullMachine::open_consoles() {
  watch_ = std::make_unique<ConsoleWatch>(KITE_TRY(compile("--expect", config_.expect)),
                                          KITE_TRY(compile("--fail-on", config_.fail_on)),
                                          [this] { wake(); });
  CharBackend* serial = outside_.serial;
  if (serial == nullptr) {
    serial_backend_ = KITE_TRY(open_char_backend(config_.serial, *loop_, outside_.stdin_filter));
    serial = serial_backend_.get();
  }
  serial_ = std::make_unique<ObservedCharBackend>(*serial, [this](std::span<const u8> bytes) {
    watch_->observe(bytes);
    if (outside_.console_observer) outside_.console_observer(bytes);
  });
  if (config_.debug_console.kind == CharConfig::Kind::kStdio) {
    debug_backend_ = make_fd_backend(*loop_, -1, STDERR_FILENO, "the debug console");
  } else {
    Result<std::unique_ptr<CharBackend>> opened = open_char_backend(config_.debug_console, *loop_);
    if (!opened) {
      return tl::unexpected(
          Error{opened.error().kind, "--debug-console: " + opened.error().message});
    }
    debug_backend_ = *std::move(opened);
  }
  if (config_.monitor.kind == CharConfig::Kind::kNull) return {};
  monitor_backend_ = KITE_TRY(open_char_backend(config_.monitor, *loop_));
  monitor_ = std::make_unique<MonitorConsole>(monitor_target(), *monitor_backend_);
  return {};
}

Result<> FullMachine::allocate_memory() {
  BackendConfig backend = config_.memory_backend;
  if (backend.kind.empty()) backend.kind = backends().front().name;
  backend.size = memory_size_of(config_);
  ram_ = KITE_TRY(allocate(backend));
  if (ram_.readonly()) {
    return fail(ErrorKind::kUsage,
                "--memory-backend {}: readonly=on makes no RAM; rom=off lets the guest write, and "
                "the file stays as it is",
                backend.kind);
  }
  return {};
}

void FullMachine::make_event_interrupts() {
  events_ = std::make_unique<MachineEventInterrupts>(
      *loop_,
      MachineEventInterrupts::Controllers{
          .set_wire = [this](unsigned wire, bool level) { interrupts_.set(wire, level); },
          .send_message = [this](u64 address, u32 data) { interrupts_.send_msi(address, data); }});
}

void FullMachine::give_events_to(InterruptChips* chips) {
  Result<> given = events_->use(chips ? chips->events() : nullptr);
  if (!given) log::warning("{}: the I/O loop does it", given.error().message);
}

// ISA wire 0 is input 2 of the I/O APIC, and nothing is input 0 (see BoardInterrupts::set).
void FullMachine::wire_ends_of_interrupts() {
  if (!interrupts_.chips.pic || !interrupts_.chips.io_apic) return;
  interrupts_.chips.pic->on_end_of_interrupt([this](unsigned irq) { events_->ended(irq); });
  interrupts_.chips.io_apic->on_end_of_interrupt([this](unsigned input) {
    if (input != irq::kTimer) events_->ended(input == irq::kTimerInput ? irq::kTimer : input);
  });
}

Result<> FullMachine::build_board() {
  const Board* board = KITE_TRY(find_board(config_.machine));
  VcpuThread::Owner& owner = *this;
  for (unsigned index = 0; index < config_.cpus; index++) {
    std::string name = config_.cpus > 1 ? fmt::format("vcpu {}", index) : "";
    processors_.push_back(std::make_unique<Processor>(index, owner, clock_, std::move(name)));
    processors_.back()->thread().run_on(config_.affinity.of(index));
  }
  make_event_interrupts();
  MachineBuild build({config_, cpu_model_, clock_, control_, memory_, ports_, ram_, processors_,
                      chips_, *serial_, *debug_backend_, firmware_, interrupts_, *events_});
  KITE_CHECK(board->build(build));
  if (outside_.more_chips) KITE_CHECK(outside_.more_chips(build));
  wire_ends_of_interrupts();
  return {};
}

Result<> FullMachine::create_processors() {
  engines_ = KITE_TRY(Engines::create(
      {memory_, ports_, clock_, cpu_model_, epoch_, config_.cpus, KITE_TRY(accelerator_options())},
      outside_.accelerators, *choice_.kind));
  for (auto& processor : processors_) {
    VcpuConfig config;
    config.index = processor->thread().index();
    config.apic_id = config.index;
    config.interrupts = processor->port();
    config.cpus = config_.cpus;
    Vcpu* first = KITE_TRY(engines_->add_processor(config));
    vcpus_.push_back(
        std::make_unique<MovableVcpu>(*engines_, config, clock_, choice_.kind->name, *first));
  }
  for (unsigned i = 0; i < config_.cpus; i++)
    processors_[i]->thread().attach(*vcpus_[i], processors_[i]->port());
  // The rate that the counter has where the machine is started is the guest's wherever it goes on.
  for (LocalApic* apic : interrupts_.chips.local_apics)
    apic->set_tsc_frequency(seen_model().tsc_hz);
  halt_watch_ = std::make_unique<HaltWatch>(clock_, processors_, [this] { everyone_is_dead(); });
  return {};
}

const CpuModel& FullMachine::seen_model() const {
  const CpuModel* seen = engines_->first().model();
  return seen != nullptr ? *seen : cpu_model_;
}

Result<> FullMachine::enter_boot_program(Begin how) {
  X86State entry = KITE_TRY(how == Begin::kResume ? boot_.resume() : boot_.load());
  release_unused_heap();  // the kernel's file and its decompressed form
  // The TSC goes on counting from power-on, so that it and the local APIC's deadlines agree.
  entry.tsc_at = clock_.now();
  entry.tsc = static_cast<u64>(static_cast<u128>(*entry.tsc_at) * seen_model().tsc_hz / kSecond);
  if (LocalApic* apic = processors_.front()->apic()) apic->enter_virtual_wire_mode();
  std::vector<X86State> states = entry_states(entry);
  InterruptChips* away = chips();
  if (away) interrupts_.put_local_apics(states);
  for (std::size_t index = 0; index < vcpus_.size(); index++)
    KITE_CHECK(vcpus_[index]->set_state(states[index]));
  if (!away) return {};
  KITE_CHECK(interrupts_.move_away(*away));
  give_events_to(away);
  return {};
}

// The others wait for SIPI.
std::vector<X86State> FullMachine::entry_states(const X86State& boot_processor) {
  X86State waiting = X86State::after_reset();
  waiting.mp_state = MpState::kWaitForSipi;
  waiting.tsc = boot_processor.tsc;
  waiting.tsc_at = boot_processor.tsc_at;
  waiting.mtrr_def_type = boot_processor.mtrr_def_type;
  std::vector<X86State> states(vcpus_.size(), waiting);
  states.front() = boot_processor;
  return states;
}

// As `--accel` takes it.
std::string FullMachine::accelerator_words() const {
  std::string words(choice_.kind->name);
  if (choice_.kind->name == "kvm") words += chips() ? ",kernel-irqchip=on" : ",kernel-irqchip=off";
  return words;
}

std::string FullMachine::summary() const {
  return fmt::format("{}, {} MiB, {} x {}, {} ({}); {}", config_.machine,
                     memory_size_of(config_) / MiB, config_.cpus, cpu_model_.name,
                     accelerator_words(), choice_.reason, boot_.description());
}

Outcome run_selftest(MachineConfig config, MachineOutside outside) {
  std::span<const u8> image = selftest_image();
  if (image.empty()) {
    return outcome_of({ErrorKind::kUnavailable, "this build carries no self-test guest"});
  }
  config.kernel.clear();
  config.kernel_image.assign(image.begin(), image.end());
  auto machine = Machine::create(config, std::move(outside));
  if (!machine) return outcome_of(machine.error());
  Outcome outcome = (*machine)->run();
  const bool finished = outcome.kind == OutcomeKind::kExitValue;
  if (finished && outcome.status == kSelftestPassedStatus) {
    outcome.status = 0;
    outcome.reason = "every check of the self-test passed";
  }
  return outcome;
}

}  // namespace kite
