// FullMachine: the Machine behind machine.h: owns every part and decides how a run goes on.
//
// Threads. run()'s caller serves the I/O loop: timers, console input, what chips have asked for,
// expressions on the console. Each vCPU has a thread of its own. Nothing but RunControl,
// ConsoleWatch and VcpuThread is used from both sides, and each has one lock.
//
// Life of a run: start vCPUs -> loop (review() after every wake-up) -> stop vCPUs -> settle().
// A reset parks the vCPUs, resets the chips, loads the boot program again and resumes.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "machine/boot_program.h"
#include "machine/console_watch.h"
#include "machine/event_interrupts.h"
#include "machine/halt_watch.h"
#include "machine/machine.h"
#include "machine/machine_build.h"
#include "machine/monitor.h"
#include "machine/movable_vcpu.h"
#include "machine/result_file.h"
#include "machine/run_control.h"

namespace kite {

class FullMachine final : public Machine, private VcpuThread::Owner, private MonitorTarget {
 public:
  FullMachine(const MachineConfig& config, MachineOutside outside);
  ~FullMachine() override;

  Result<> build();

  Outcome run() override;
  void request_stop(int signal) override;
  EventLoop& loop() override { return *loop_; }
  const AcceleratorChoice& accelerator() const override { return choice_; }
  std::string summary() const override;
  MonitorTarget& monitor_target() override { return *this; }

 private:
  // Steps of build().
  Result<AcceleratorOptions> accelerator_options();
  Result<> choose_sandbox();
  Result<> open_consoles();
  Result<> allocate_memory();
  Result<> build_board();
  void make_event_interrupts();
  void wire_ends_of_interrupts();
  // Null: the loop serves them.
  void give_events_to(InterruptChips* chips);
  Result<> start_accelerator();
  Result<> create_processors();
  // How the guest begins: with what there is to boot, or where it went to sleep.
  enum class Begin : bool { kBoot, kResume };
  Result<> enter_boot_program(Begin how);
  std::string accelerator_words() const;
  // What the guest was told it has.
  const CpuModel& seen_model() const;
  std::vector<X86State> entry_states(const X86State& boot_processor);

  // On the loop's thread.
  void start_threads();
  void wake();  // any thread
  void review();
  void review_console();
  void reset(const std::string& source);
  void restart();
  void sleep_or_wake();
  void begin_anew(Begin how);
  Outcome settle();
  RunControl::Ending judge();
  void fill_in(Outcome& outcome);
  void save(Outcome& outcome);

  // MonitorTarget, in full_machine_monitor.cpp.
  Status status() override;
  std::vector<VcpuStatus> vcpus() override;
  void stop_vcpus() override;
  void continue_vcpus() override;
  void reset_machine() override;
  bool wake_machine() override;
  void quit() override;
  bool ends() const override;
  Result<> move_to(std::string_view accelerator) override;
  // Around what needs the vCPUs outside the guest. On the loop's thread.
  void park_vcpus();
  void resume_vcpus(bool new_state);

  // Steps of move_to(), in full_machine_move.cpp.
  Result<> prepare_move(const AcceleratorKind& kind);
  std::vector<X86State> states_for_move();
  Result<std::vector<X86State>> leave_accelerator();
  Result<> enter_accelerator(const AcceleratorKind& kind, std::vector<X86State> states);
  Result<> change_accelerator(const AcceleratorKind& to);
  // The interrupt controllers that the accelerator in use has, or null.
  InterruptChips* chips() const { return engines_->made(choice_.kind->name)->chips(); }

  // VcpuThread::Owner, on vCPU threads.
  Result<> vcpu_starts(VcpuThread& vcpu) override;
  void vcpu_shut_down(VcpuThread& vcpu) override;
  void vcpu_asks_for_reset(VcpuThread& vcpu) override;
  void vcpu_is_dead(VcpuThread& vcpu) override;
  void everyone_is_dead();
  // Looks for dead halts where vCPUs do not come out of HLT.
  void watch_halts();
  void vcpu_failed(VcpuThread& vcpu, const Error& error) override;

  // Destroyed from the bottom up.
  const MachineConfig config_;
  const MachineOutside outside_;
  RealClock real_clock_;
  Clock& clock_;
  const Nanos created_;
  Nanos epoch_ = 0;  // Unix time at the clock's zero
  CpuModel cpu_model_;
  AcceleratorChoice choice_;
  std::unique_ptr<EventLoop> loop_;
  RunControl control_;
  std::unique_ptr<ConsoleWatch> watch_;
  std::unique_ptr<CharBackend> serial_backend_, debug_backend_, monitor_backend_;
  std::unique_ptr<ObservedCharBackend> serial_;
  HostMemory ram_;
  AddressSpace memory_;
  PortSpace ports_;
  FirmwareFacts firmware_;
  BoardInterrupts interrupts_;
  std::unique_ptr<MachineEventInterrupts> events_;
  std::vector<std::unique_ptr<Processor>> processors_;
  ChipSet chips_;
  std::unique_ptr<Engines> engines_;
  std::vector<std::unique_ptr<MovableVcpu>> vcpus_;
  BootProgram boot_;
  const ResultFile result_file_;
  bool sandboxed_ = false;
  Timer timeout_, panic_grace_;
  std::unique_ptr<HaltWatch> halt_watch_;

  std::atomic<unsigned> culprit_{0};  // the vCPU whose RIP the outcome tells
  std::atomic<bool> review_posted_{false};
  static constexpr int kNoSignal = -1;
  std::atomic<int> stop_signal_{kNoSignal};
  Nanos started_ = 0;
  unsigned resets_ = 0;
  bool panic_seen_ = false;
  bool stopped_ = false;          // by a monitor
  bool new_state_waits_ = false;  // a reset while stopped
  std::unique_ptr<MonitorConsole> monitor_;
};

}  // namespace kite
