// RAM back ends: functions that return a HostMemory. After allocation they are all the same three
// facts.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "memory/host_memory.h"

namespace kite {

// The options of `--memory-backend KIND[,option…]`. Unset means the kind's own default.
struct BackendConfig {
  std::string kind;  // a name of kBackends
  u64 size = 0;      // bytes
  std::optional<bool> share;
  bool prealloc = false;
  u32 prealloc_threads = 1;
  std::optional<bool> merge;       // madvise(MADV_MERGEABLE)
  std::optional<bool> dump;        // off: madvise(MADV_DONTDUMP)
  std::optional<bool> reserve;     // off: MAP_NORESERVE
  std::vector<u32> host_nodes;     // NUMA nodes, with policy
  std::string policy;              // default | preferred | bind | interleave
  std::optional<bool> seal;        // memfd
  std::optional<bool> hugetlb;     // memfd
  std::optional<u64> hugetlbsize;  // memfd, bytes
  std::string
      mem_path;  // file: a file, or a directory in which a file is made and at once unlinked
  std::optional<u64> offset;         // file
  std::optional<u64> align;          // file
  std::optional<bool> readonly;      // file
  std::optional<bool> rom;           // file
  std::optional<bool> discard_data;  // file
  bool executable = false;  // not an option: code will be executed at a second mapping of it
};

// One kind of RAM back end on this host.
struct Backend {
  std::string_view name;         // "memfd", "shm", "ram", "file"
  std::string_view description;  // for `kite list backends`
  Result<HostMemory> (*allocate)(const BackendConfig&);
};

// The back ends of this host, the default one first.
std::span<const Backend> backends();

// Parses "KIND[,option=value…]" with the options' names as in BackendConfig, dashes for
// underscores. A size may carry K, M, G or T. Errors name the option and the value.
Result<BackendConfig> parse_backend(std::string_view text);

// Parses "512M", "4G", "1048576": bytes.
Result<u64> parse_size(std::string_view text);

// Checks the options against the kind and the host, and allocates. Errors name back end, option and
// value; nothing is left behind.
Result<HostMemory> allocate(const BackendConfig& config);

}  // namespace kite
