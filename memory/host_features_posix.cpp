// A host that has only POSIX: what goes beyond it is refused by name.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "memory/host_features.h"
#include "memory/mapping.h"

namespace kite::host {

namespace {

Result<> refuse(const BackendConfig& config, std::string_view option, std::string_view value) {
  return fail(ErrorKind::kUnavailable, "{} is not available on this host",
              option_text(config, option, value));
}

// The BSDs' way to leave a mapping out of core dumps; the portable build on Linux has none.
#ifdef MADV_NOCORE
constexpr int kNoCore = MADV_NOCORE;
#else
constexpr int kNoCore = -1;
#endif

}  // namespace

u64 total_memory() {
#ifdef _SC_PHYS_PAGES
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  if (pages > 0) return static_cast<u64>(pages) * page_size(-1);
#endif
  return ~u64{0};
}

u64 page_size(int) {
  return static_cast<u64>(::sysconf(_SC_PAGESIZE));
}

Result<> check(const BackendConfig& config) {
  if (config.merge.value_or(false)) return refuse(config, "merge", "on");
  if (!config.dump.value_or(true) && kNoCore < 0) return refuse(config, "dump", "off");
  if (!config.reserve.value_or(true)) return refuse(config, "reserve", "off");
  if (!config.host_nodes.empty())
    return refuse(config, "host-nodes", std::to_string(config.host_nodes[0]));
  if (!config.policy.empty() && config.policy != "default")
    return refuse(config, "policy", config.policy);
  if (config.discard_data.value_or(false)) return refuse(config, "discard-data", "on");
  return {};
}

int map_flags(const BackendConfig&) {
  return 0;
}

Result<> advise(const BackendConfig& config, u8* data, u64 size) {
  if (!config.dump.value_or(true) && ::madvise(data, size, kNoCore) != 0)
    return fail_errno(ErrorKind::kUnavailable, errno, option_text(config, "dump", "off"));
  return {};
}

int populate(u8*, u64, bool) {
  return ENOSYS;
}

void discard(u8*, u64) {}

}  // namespace kite::host
