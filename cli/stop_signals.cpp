#include "cli/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "cli/terminal.h"
#include "machine/machine.h"

namespace kite {

namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

// A handler reaches nothing but globals.
std::atomic<Machine*> the_machine{nullptr};
std::atomic<int> the_signal{0};

void received_signal(int signal) {
  int none = 0;
  if (!the_signal.compare_exchange_strong(none, signal)) {
    terminal::leave_raw_mode();
    ::_exit(128 + signal);
  }
  if (Machine* machine = the_machine) machine->request_stop(signal);
}

}  // namespace

// Without SA_RESTART: waiting for a socket's client must end.
StopSignals::StopSignals() {
  the_signal = 0;
  for (int signal : kSignals) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = received_signal;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  the_machine = nullptr;
}

// A signal that came before is not forgotten.
void StopSignals::set_machine(Machine* machine) {
  the_machine = machine;
  if (machine && the_signal) machine->request_stop(the_signal);
}

int StopSignals::received() const {
  return the_signal;
}

}  // namespace kite
