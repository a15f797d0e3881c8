// The end of a trace: what its files' buffers still hold.
#pragma once

#include "base/result.h"

namespace kite::trace {

// Writes it. An error says that a trace is not complete.
Result<> flush();

}  // namespace kite::trace
