#include "accel/tcg/zero_pages.h"

#include <sys/mman.h>

#ifndef MAP_NORESERVE  // FreeBSD and OpenBSD reserve nothing anyway
#define MAP_NORESERVE 0
#endif

namespace kite::tcg::zero_pages {

void* map(std::size_t bytes) {
  void* at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

void unmap(void* at, std::size_t bytes) {
  ::munmap(at, bytes);
}

}  // namespace kite::tcg::zero_pages
