#include "base/heap.h"

namespace kite {

void release_unused_heap() {}  // no portable way

}  // namespace kite
