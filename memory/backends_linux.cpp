// Linux's RAM back ends, and the one only Linux has: memfd.
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>

#include "base/bits.h"
#include "memory/backend_kinds.h"
#include "memory/mapping.h"

// Linux 6.3's, and newer than the headers of some distributions.
#ifndef MFD_EXEC
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif

namespace kite {

namespace {

constexpr Backend kBackends[] = {
    {"memfd", "anonymous shared memory with a descriptor (memfd_create)", allocate_memfd},
    {"shm", "POSIX shared memory (shm_open), without a name once it is mapped", allocate_shm},
    {"ram", "anonymous private memory", allocate_ram},
    {"file", "a file, or an unnamed file in a directory such as a hugetlbfs mount", allocate_file},
};

// memfd_create(2): the page size's logarithm stands in the flags from bit 26 (MFD_HUGE_SHIFT).
unsigned huge_flags(const BackendConfig& config) {
  if (!config.hugetlb.value_or(false)) return 0;
  unsigned flags = MFD_HUGETLB;
  if (config.hugetlbsize)
    flags |= static_cast<unsigned>(std::countr_zero(*config.hugetlbsize)) << MFD_HUGE_SHIFT;
  return flags;
}

Result<> check_memfd(const BackendConfig& config) {
  if (!config.hugetlbsize) return {};
  const std::string size = format_size(*config.hugetlbsize);
  if (!config.hugetlb.value_or(false))
    return fail(ErrorKind::kUsage, "{} needs hugetlb=on", option_text(config, "hugetlbsize", size));
  if (!is_power_of_two(*config.hugetlbsize))
    return fail(ErrorKind::kUsage, "{} is not a power of two",
                option_text(config, "hugetlbsize", size));
  return {};
}

// Since Linux 6.3 a program is to say whether it will execute the file (sysctl vm.memfd_noexec).
// Where that is forbidden, or the kernel is older, the mapping may be executable nevertheless.
UniqueFd open_memfd_for_code(unsigned flags) {
  for (const unsigned wish : {MFD_EXEC, MFD_NOEXEC_SEAL})
    if (UniqueFd fd(::memfd_create("kite-code", flags | wish)); fd.valid()) return fd;
  return UniqueFd(::memfd_create("kite-code", flags));
}

Result<UniqueFd> create_memfd(const BackendConfig& config) {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | huge_flags(config);
  UniqueFd fd =
      config.executable ? open_memfd_for_code(flags) : UniqueFd(::memfd_create("kite-ram", flags));
  if (fd.valid()) return fd;
  const int error_number = errno;
  if (!config.hugetlb.value_or(false))
    return fail_errno(ErrorKind::kUnavailable, error_number,
                      size_text(config) + ": memfd_create failed");
  if (config.hugetlbsize)
    return fail_errno(ErrorKind::kUnavailable, error_number,
                      option_text(config, "hugetlbsize", format_size(*config.hugetlbsize)) +
                          ": this host has no huge pages of that size");
  return fail_errno(ErrorKind::kUnavailable, error_number,
                    option_text(config, "hugetlb", "on") + ": this host has no huge pages");
}

}  // namespace

std::span<const Backend> backends() {
  return kBackends;
}

Result<HostMemory> allocate_memfd(const BackendConfig& config) {
  KITE_CHECK(check_memfd(config));
  KITE_CHECK(check_total_memory(config));
  MapRequest request;
  request.fd = KITE_TRY(create_memfd(config));
  request.shared = config.share.value_or(true);
  KITE_CHECK(check_alignment(config, request.fd.get()));
  KITE_CHECK(set_size(config, request.fd.get(), config.size));
  constexpr int kSeals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (config.seal.value_or(true) && ::fcntl(request.fd.get(), F_ADD_SEALS, kSeals) != 0)
    return fail_errno(ErrorKind::kUnavailable, errno, option_text(config, "seal", "on"));
  return map_memory(config, std::move(request));
}

}  // namespace kite
