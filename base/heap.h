// The C library's heap.
#pragma once

namespace kite {

// Gives memory that was freed back to the host, where the C library can: after a large, short-lived use.
void release_unused_heap();

}  // namespace kite
