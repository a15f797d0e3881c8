#include <cstdlib>  // defines __GLIBC__

#include "base/heap.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace kite {

void release_unused_heap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace kite
