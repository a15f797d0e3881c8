// The system calls that each kind of thread keeps.
#pragma once

#include "machine/sandbox.h"
#include "machine/seccomp/filter.h"

namespace kite::sandbox {

// Before the names are sealed: makes those that only a sandbox asks for.
void name_files();

void allow_calls(Thread kind, FilterBuilder& filter);

}  // namespace kite::sandbox
