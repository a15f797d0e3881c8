// Sandbox: what a thread may still ask of the host once the guest runs.
//
// Purpose. A guest that takes over a thread of this process, by a bug in a device or an engine,
// must find little to do with it: no new file, program, process or connection, no code of its own.
// Each thread of a running machine gives up what it does not need, for good, and with it the
// threads it starts. Linux's seccomp does it, a filter for each kind of thread; the lists stand in
// seccomp/calls.cpp. A file that a machine still opens once it runs is allowed by name: see
// base/fixed_name.h.
//
// A forbidden call ends the process: one line on stderr that names it, status 70. A machine that
// shares its process with other things must therefore not ask for a sandbox.
#pragma once

#include <string>

#include "base/result.h"

namespace kite::sandbox {

// Why there is none, in a sentence's second half; empty if there is one.
std::string why_not();

enum class Thread {
  kIo,    // serves the I/O loop; reads and writes what is open, starts threads, writes the result
  kVcpu,  // runs a guest
};

// Makes the filters, once for the process. FixedNames are sealed: no new ones from now on.
Result<> prepare();

// For the calling thread, and those that it starts from now on. After prepare().
Result<> enter(Thread kind);

// What is done before the line on stderr: must be safe in a signal handler.
void before_the_end(void (*act)());

}  // namespace kite::sandbox
