// What a signal handler is told about an instruction that faulted; each host writes it differently.
#pragma once

#include <csignal>

#include "base/types.h"

namespace kite::tcg::fault_context {

// Did an instruction of this thread raise the signal? Else somebody sent it.
bool is_fault(const siginfo_t& info);

// The host instruction that was interrupted: of a fault, the one that raised it. `context` is the
// third argument of the handler.
const u8* pc(const void* context);

// The thread goes on at `pc` once the handler returns.
void go_on_at(void* context, const u8* pc);

}  // namespace kite::tcg::fault_context
