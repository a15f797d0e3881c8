// SIGINT, SIGTERM and SIGHUP end a run cleanly.
#pragma once

namespace kite {

class Machine;

// While one exists, the first of these signals ends the machine's run (or, before there is a
// machine, is remembered), and the second ends the process at once, terminal restored. A signal
// that was ignored when the program started stays ignored (nohup, background jobs).
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();

  void set_machine(Machine* machine);
  // The signal that came, or 0.
  int received() const;
};

}  // namespace kite
