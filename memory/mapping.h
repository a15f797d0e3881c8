// The steps that the RAM back ends share: checks of sizes and space, mapping, preallocation.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "memory/backend.h"

namespace kite {

// "memory backend 'shm': size=512M", the beginning of every error of a back end.
std::string option_text(const BackendConfig& config, std::string_view option,
                        std::string_view value);
// The same with the size as given.
std::string size_text(const BackendConfig& config);

// 536870912 -> "512M": in the largest unit that divides it.
std::string format_size(u64 bytes);

// The size must be a multiple of the page size of `fd` (-1: of the host), and so must `offset`.
Result<> check_alignment(const BackendConfig& config, int fd);

// Is there that much memory in this host at all? (Not asked with reserve=off.)
Result<> check_total_memory(const BackendConfig& config);

// Gives the fresh object behind `fd` its size. Growing a file beyond RLIMIT_FSIZE would raise
// SIGXFSZ; it is an error instead.
Result<> set_size(const BackendConfig& config, int fd, u64 size);

// Reserves [offset, offset + size) of `fd` on its file system, so that a store can never meet a
// full one later; contents stay. `kind` is that of the error for "no space". With reserve=off, and
// where the file system cannot reserve, the free space of this moment must do.
Result<> reserve_space(const BackendConfig& config, int fd, u64 offset, ErrorKind kind);

struct MapRequest {
  UniqueFd fd;        // not valid: anonymous
  u64 fd_offset = 0;  // where in fd
  u64 align = 0;      // of the host address; 0: the host's choice
  bool shared = false;
  bool writable = true;
  bool discard_data = false;
};

// Maps, advises, binds and preallocates; the last step of every back end.
Result<HostMemory> map_memory(const BackendConfig& config, MapRequest request);

// Provides every page of [data, data + size) now, with `threads` threads, keeping the contents.
// False: the host has no memory for them (which would otherwise be a SIGBUS).
bool preallocate(u8* data, u64 size, u64 page_size, u32 threads, bool writable);

}  // namespace kite
