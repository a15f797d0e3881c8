// Waiting for descriptors with a timeout finer than poll(2)'s millisecond.
#pragma once

#include <poll.h>

#include <span>

#include "base/types.h"

namespace kite {

// As poll(2): fills in `revents` and returns how many are set, 0 at the timeout, -1 with errno. A
// timeout of kNever waits for ever, a negative one not at all. A guest's 1 kHz timer tick is why
// whole milliseconds are too coarse.
int poll_for(std::span<pollfd> descriptors, Nanos timeout);

}  // namespace kite
