// The allocate functions of the RAM back ends, for the hosts' lists in backends_*.cpp.
#pragma once

#include "memory/backend.h"

namespace kite {

Result<HostMemory> allocate_memfd(const BackendConfig& config);  // Linux
Result<HostMemory> allocate_shm(const BackendConfig& config);
Result<HostMemory> allocate_ram(const BackendConfig& config);
Result<HostMemory> allocate_file(const BackendConfig& config);

}  // namespace kite
