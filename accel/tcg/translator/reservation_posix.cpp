// FreeBSD, NetBSD, OpenBSD and macOS: the address is a wish, which is granted where nothing is.
#include <sys/mman.h>

#include <cerrno>

#include "accel/tcg/translator/reservation.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

namespace kite::tcg::reservation {

// macOS gives no program the first 4 GiB (__PAGEZERO).
u64 lowest() {
#ifdef __APPLE__
  return 4 * GiB;
#else
  return 64 * KiB;
#endif
}

// VM_MAXUSER_ADDRESS and its like, in whole pages.
u64 end() {
#if defined(__APPLE__)
  return 0x7fffffe00000;
#elif defined(__OpenBSD__)
  return 0x7f7fffffc000;
#elif defined(__NetBSD__)
  return 0x7f7ffffff000;
#else  // FreeBSD with four-level paging
  return 0x7ffffffff000;
#endif
}

int reserve(u64 start, u64 size) {
  void* wanted = reinterpret_cast<void*>(start);
  void* got = ::mmap(wanted, size, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return errno;
  if (got == wanted) return 0;
  ::munmap(got, size);
  return EEXIST;
}

void release(u64 start, u64 size) {
  ::munmap(reinterpret_cast<void*>(start), size);
}

}  // namespace kite::tcg::reservation
