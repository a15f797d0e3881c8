// What this host can do with memory beyond POSIX; each host has its own implementation of these.
#pragma once

#include <utility>

#include "base/result.h"
#include "base/types.h"
#include "memory/backend.h"

namespace kite::host {

// Physical memory and swap in bytes: what a guest could ever use.
u64 total_memory();

// The page size of what `fd` names (huge pages on hugetlbfs), or of the host for -1.
u64 page_size(int fd);

// Are merge, dump, reserve, host-nodes and policy, as far as `config` uses them, possible here?
Result<> check(const BackendConfig& config);

// Flags for mmap that `config` asks for.
int map_flags(const BackendConfig& config);

// Tells the host about the fresh mapping: merge, dump, NUMA policy, large pages.
Result<> advise(const BackendConfig& config, u8* data, u64 size);

// Makes the host provide every page now: 0, an errno, or ENOSYS where the host has no such call.
int populate(u8* data, u64 size, bool writable);

// Drops the contents of a shared mapping from the file behind it.
void discard(u8* data, u64 size);

}  // namespace kite::host
