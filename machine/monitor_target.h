// MonitorTarget: what a monitor looks at and steers: the running machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accel/x86/state.h"
#include "base/result.h"

namespace kite {

// Everything here is called on the I/O loop's thread, while the machine runs.
class MonitorTarget {
 public:
  struct Status {
    bool stopped = false;  // by stop_vcpus()
    bool asleep = false;   // suspended to RAM
    std::string board;
    std::string accelerator;
    std::string accelerator_reason;  // one line
    unsigned vcpus = 0;
    unsigned halted_vcpus = 0;  // whose threads sleep in HLT
    Nanos uptime = 0;           // since the first guest instruction
    unsigned resets = 0;
    std::optional<u64> instructions;  // executed, where the engine knows
    std::optional<u64> fall_backs;    // executed by the interpreter in KVM's place
  };
  struct VcpuStatus {
    X86State state;
    bool halted = false;  // its thread sleeps in HLT
    bool dead = false;    // … and no interrupt ends it
    bool asleep = false;  // the machine is suspended to RAM
  };

  virtual ~MonitorTarget() = default;

  virtual Status status() = 0;
  // By index. The vCPUs come out of the guest for it, and go on.
  virtual std::vector<VcpuStatus> vcpus() = 0;
  // Parks every vCPU until continue_vcpus(). The guest's clocks go on meanwhile.
  virtual void stop_vcpus() = 0;
  virtual void continue_vcpus() = 0;
  // Starts the machine anew, also with --no-reboot.
  virtual void reset_machine() = 0;
  // Ends a sleep (suspend to RAM) as an alarm would; false: the guest does not sleep.
  virtual bool wake_machine() = 0;
  // Ends the run soon, as Ctrl-a x does.
  virtual void quit() = 0;
  // Is the run about to end, by quit() or whatever else? Nothing more is to be done then.
  virtual bool ends() const { return false; }
  // Goes on in another accelerator.
  virtual Result<> move_to(std::string_view accelerator) = 0;
};

}  // namespace kite
