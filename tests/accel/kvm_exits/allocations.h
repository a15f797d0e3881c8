// How often this thread has called operator new: the program's own, which allocations.cpp replaces.
#pragma once

#include "base/types.h"

namespace kite::test {

u64 allocations();

}  // namespace kite::test
