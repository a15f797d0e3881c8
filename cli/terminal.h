// The terminal on stdin: raw while a guest has it, and restored on every way out.
#pragma once

#include "base/result.h"

namespace kite {

// A terminal belongs to the process, and signal handlers must be able to restore it, so this is a
// set of functions and not an object.
//
// Ways out that restore it: leave_raw_mode(), exit(), and signals whose default is death by a bug
// (SIGABRT, SIGSEGV, …), which then take their course. SIGTSTP restores it while the process is
// stopped and SIGCONT makes it raw again once the process is in the foreground.
namespace terminal {

// stdin is a terminal and this process is in its foreground.
bool usable();
// stdin is a terminal, but this process was started in the background: reading would stop it.
bool in_background();

// Handles the signals of crashes. Before others do, who pass on to it what is not theirs: an engine
// whose guests' faults are such signals.
void handle_crashes();
// After handle_crashes().
Result<> enter_raw_mode();
// Does nothing when not raw. Safe in signal handlers.
void leave_raw_mode();

}  // namespace terminal

}  // namespace kite
