// Machine: a board with memory, processors and a boot program, from configuration to outcome.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/event_loop.h"
#include "machine/accelerators.h"
#include "machine/config.h"
#include "machine/monitor_target.h"
#include "machine/outcome.h"

namespace kite {

class MachineBuild;

// What surrounds a machine. The defaults are what a test wants; `kite run` adds its escape keys.
struct MachineOutside {
  InputFilter stdin_filter = {};  // for `--serial stdio`
  // Sees what the guest writes to COM1; called on a vCPU thread, must not block.
  std::function<void(std::span<const u8>)> console_observer = {};
  CharBackend* serial = nullptr;  // used in place of config.serial; outlives the machine
  std::span<const AcceleratorKind* const> accelerators = accelerator_kinds();
  Clock* clock = nullptr;  // null: the host's time
  // Adds chips of the caller's own once the board has its.
  std::function<Result<>(MachineBuild&)> more_chips = {};
};

class Machine {
 public:
  // Everything up to the first instruction, except that threads start in run(). Errors are the
  // host's or the user's: unusable kernel, too little memory, no such board.
  static Result<std::unique_ptr<Machine>> create(const MachineConfig& config,
                                                 MachineOutside outside = {});
  virtual ~Machine() = default;

  // Runs until something ends it; once per machine. The caller's thread serves the I/O loop.
  // Writes config.result_file.
  virtual Outcome run() = 0;

  // Ends run() soon. Any thread, also from a signal handler. `signal` 0: the user left.
  virtual void request_stop(int signal) = 0;

  // The I/O loop, for the console's file descriptors. Watch before run(), or from its callbacks.
  virtual EventLoop& loop() = 0;

  virtual const AcceleratorChoice& accelerator() const = 0;

  // One line for stderr and the log: board, memory, processor, accelerator and why.
  virtual std::string summary() const = 0;

  // For a Monitor on the I/O loop's thread, while run() is in progress.
  virtual MonitorTarget& monitor_target() = 0;
};

// Boots the built-in self-test guest on config.accel; its own verdict is the outcome's status.
Outcome run_selftest(MachineConfig config, MachineOutside outside = {});

// Writes `outcome` as JSON, atomically.
Result<> write_result_file(const std::string& path, const MachineConfig& config,
                           const Outcome& outcome);
// An error if write_result_file could not succeed; asked at start, not at the end.
Result<> check_result_file(const std::string& path);

}  // namespace kite
