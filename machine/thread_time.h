// How much processor time a thread has used.
#pragma once

#include <pthread.h>

#include <optional>

#include "base/types.h"

namespace kite {

// Nothing where the host does not tell, or the thread has ended.
std::optional<Nanos> thread_time(pthread_t thread);

}  // namespace kite
