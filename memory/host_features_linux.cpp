// Linux: hugetlbfs, KSM, core dump exclusion, NUMA, MADV_POPULATE_WRITE.
#include <linux/magic.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bits.h"
#include "memory/host_features.h"
#include "memory/mapping.h"

namespace kite::host {

namespace {

struct PolicyName {
  std::string_view name;
  int mode;
};
constexpr PolicyName kPolicies[] = {
    {"default", MPOL_DEFAULT},
    {"preferred", MPOL_PREFERRED},
    {"bind", MPOL_BIND},
    {"interleave", MPOL_INTERLEAVE},
};

constexpr u32 kMaxNodes = 1024;  // CONFIG_NODES_SHIFT is at most 10

bool node_exists(u32 node) {
  const std::string path = fmt::format("/sys/devices/system/node/node{}", node);
  return ::access(path.c_str(), F_OK) == 0;
}

Result<> check_nodes(const BackendConfig& config) {
  for (u32 node : config.host_nodes)
    if (node >= kMaxNodes || !node_exists(node))
      return fail(ErrorKind::kUnavailable, "{}: this host has no such NUMA node",
                  option_text(config, "host-nodes", std::to_string(node)));
  return {};
}

Result<> bind_to_nodes(const BackendConfig& config, u8* data, u64 size) {
  if (config.host_nodes.empty()) return {};
  const auto* policy = std::find_if(std::begin(kPolicies), std::end(kPolicies),
                                    [&](auto& known) { return known.name == config.policy; });
  std::array<unsigned long, kMaxNodes / 64> mask{};
  for (u32 node : config.host_nodes) mask[node / 64] |= bit(node % 64);
  // The kernel reads one bit less than it is told (mbind(2), "maxnode").
  if (::syscall(SYS_mbind, data, size, policy->mode, mask.data(), kMaxNodes + 1,
                MPOL_MF_STRICT | MPOL_MF_MOVE) == 0)
    return {};
  return fail_errno(ErrorKind::kUnavailable, errno, option_text(config, "policy", config.policy));
}

}  // namespace

u64 total_memory() {
  struct sysinfo info;
  if (::sysinfo(&info) != 0) return ~u64{0};
  return (u64{info.totalram} + info.totalswap) * info.mem_unit;
}

u64 page_size(int fd) {
  struct statfs file_system;
  if (fd >= 0 && ::fstatfs(fd, &file_system) == 0 && file_system.f_type == HUGETLBFS_MAGIC)
    return static_cast<u64>(file_system.f_bsize);
  return static_cast<u64>(::sysconf(_SC_PAGESIZE));
}

Result<> check(const BackendConfig& config) {
  const bool known = config.policy.empty() ||
                     std::any_of(std::begin(kPolicies), std::end(kPolicies),
                                 [&](auto& policy) { return policy.name == config.policy; });
  if (!known)
    return fail(ErrorKind::kUsage, "{} is not one of default, preferred, bind, interleave",
                option_text(config, "policy", config.policy));
  return check_nodes(config);
}

int map_flags(const BackendConfig& config) {
  return config.reserve.value_or(true) ? 0 : MAP_NORESERVE;
}

Result<> advise(const BackendConfig& config, u8* data, u64 size) {
  // Guest RAM in large host pages, where the host is willing; nothing depends on it.
  ::madvise(data, size, MADV_HUGEPAGE);
  if (config.merge.value_or(false) && ::madvise(data, size, MADV_MERGEABLE) != 0)
    return fail_errno(ErrorKind::kUnavailable, errno, option_text(config, "merge", "on"));
  if (!config.dump.value_or(true) && ::madvise(data, size, MADV_DONTDUMP) != 0)
    return fail_errno(ErrorKind::kUnavailable, errno, option_text(config, "dump", "off"));
  return bind_to_nodes(config, data, size);
}

int populate(u8* data, u64 size, bool writable) {
  while (::madvise(data, size, writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) != 0) {
    if (errno == EINTR) continue;
    return errno == EINVAL ? ENOSYS : errno;  // EINVAL: a kernel before 5.14
  }
  return 0;
}

void discard(u8* data, u64 size) {
  ::madvise(data, size, MADV_REMOVE);
}

}  // namespace kite::host
