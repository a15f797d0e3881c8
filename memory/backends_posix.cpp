// The RAM back ends of a host that has only POSIX: no memfd, shm is the default.
#include "memory/backend_kinds.h"

namespace kite {

namespace {

constexpr Backend kBackends[] = {
    {"shm", "POSIX shared memory (shm_open), without a name once it is mapped", allocate_shm},
    {"ram", "anonymous private memory", allocate_ram},
    {"file", "a file, or an unnamed file in a directory", allocate_file},
};

}  // namespace

std::span<const Backend> backends() {
  return kBackends;
}

}  // namespace kite
