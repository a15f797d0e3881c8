#include <sys/mman.h>

#include <cerrno>
#include <fstream>

#include "accel/tcg/translator/reservation.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace kite::tcg::reservation {

u64 lowest() {
  u64 address = 0;
  std::ifstream setting("/proc/sys/vm/mmap_min_addr");
  return setting >> address ? address : 64 * KiB;
}

// Also with five-level paging, unless one asks for more (TASK_SIZE_MAX).
u64 end() {
  return (u64{1} << 47) - kPageSize;
}

int reserve(u64 start, u64 size) {
  void* wanted = reinterpret_cast<void*>(start);
  void* got = ::mmap(wanted, size, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == MAP_FAILED) return errno;
  if (got == wanted) return 0;
  ::munmap(got, size);  // Linux before 4.17 takes the address as a wish
  return EEXIST;
}

void release(u64 start, u64 size) {
  ::munmap(reinterpret_cast<void*>(start), size);
}

}  // namespace kite::tcg::reservation
